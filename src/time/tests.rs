//! The merge against its definition: what is late by each partition alone, and the rest sorted.

use super::*;
use crate::model::{Batch, EventRef, Header, Reader, StreamId, TimeMs, Value, Writer};
use proptest::prelude::*;

/// Time, stream, partition, offset.
type Place = (TimeMs, u32, u32, u64);

/// A partition's stream, number, disorder and arrivals.
#[derive(Clone, Debug)]
struct Source {
    stream: u32,
    partition: u32,
    disorder_ms: TimeMs,
    times: Vec<TimeMs>,
}

impl Source {
    fn place(&self, offset: usize) -> Place {
        (self.times[offset], self.stream, self.partition, offset as u64)
    }

    /// Which arrivals are late: those before the largest time so far less the disorder.
    fn late(&self) -> Vec<bool> {
        let mut max_ms = TimeMs::MIN;
        let late = |&time_ms: &TimeMs| {
            let late = time_ms < max_ms.saturating_sub(self.disorder_ms);
            max_ms = max_ms.max(if late { max_ms } else { time_ms });
            late
        };
        self.times.iter().map(late).collect()
    }

    /// The largest time less the disorder after so many arrivals.
    fn watermark(&self, arrived: usize) -> TimeMs {
        let max_ms = self.times[..arrived].iter().copied().max();
        max_ms.map_or(TimeMs::MIN, |max_ms| max_ms.saturating_sub(self.disorder_ms))
    }
}

fn sources() -> impl Strategy<Value = Vec<Source>> {
    // Steps of time are small, so that equal times within and between partitions are common; a few go far back.
    let step = prop_oneof![6 => 0i64..4, 2 => -5i64..0, 1 => -40i64..20];
    let one = (prop_oneof![Just(0i64), 0i64..12], prop::collection::vec(step, 0..50), -20i64..20);
    prop::collection::vec(one, 1..5).prop_map(|all| {
        let source = |(ix, (disorder_ms, steps, first)): (usize, (TimeMs, Vec<TimeMs>, TimeMs))| {
            let mut now_ms = first;
            let times = steps.into_iter().map(|step| {
                now_ms += step;
                now_ms
            });
            Source { stream: ix as u32 % 2, partition: ix as u32 / 2, disorder_ms, times: times.collect() }
        };
        all.into_iter().enumerate().map(source).collect()
    })
}

/// Turns: which partition brings how many events, and whether a release follows.
fn turns() -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    prop::collection::vec((0usize..5, 1usize..9, any::<bool>()), 0..80)
}

fn merge_of(sources: &[Source]) -> Merge {
    let mut merge = Merge::new();
    for source in sources {
        merge.add_partition(StreamId(source.stream), source.partition, source.disorder_ms);
    }
    merge
}

fn batch(source: &Source, rows: std::ops::Range<usize>) -> Batch {
    let mut batch = Batch::new(1);
    for offset in rows {
        let header = Header { time_ms: source.times[offset], partition: source.partition, offset: offset as u64 };
        batch.push(header, [Value::Int(offset as i64)]);
    }
    batch
}

fn place(event: EventRef<'_>) -> Place {
    assert_eq!(event.values, [Value::Int(event.header.offset as i64)], "a row went with another header");
    (event.time_ms(), event.stream.0, event.header.partition, event.header.offset)
}

/// Runs the turns, then what is left, then the ends. `each` sees the merge and the arrivals after each release.
fn run(
    sources: &[Source],
    turns: &[(usize, usize, bool)],
    mut each: impl FnMut(&mut Merge, &[usize], &[Place]),
) -> (Vec<Place>, Vec<Place>) {
    let mut merge = merge_of(sources);
    let (mut out, mut late) = (vec![], vec![]);
    let mut arrived = vec![0usize; sources.len()];
    let rest = (0..sources.len()).map(|ix| (ix, usize::MAX, true));
    for (ix, count, release) in turns.iter().copied().chain(rest) {
        let ix = ix % sources.len();
        let source = &sources[ix];
        let end = source.times.len().min(arrived[ix].saturating_add(count));
        let mut handed_back = vec![];
        merge.push(PartitionIx(ix as u32), batch(source, arrived[ix]..end), &mut handed_back);
        for late_event in &handed_back {
            assert_eq!(late_event.partition, PartitionIx(ix as u32));
            assert!(late_event.by_ms > 0);
        }
        late.extend(handed_back.iter().map(|late| place(late.event())));
        arrived[ix] = end;
        if release {
            let released = merge.release();
            out.extend(released.iter().map(place));
            merge.recycle(released);
            each(&mut merge, &arrived, &out);
        }
    }
    merge.end_all();
    out.extend(merge.release().iter().map(place));
    assert_eq!((merge.watermark(), merge.waiting()), (TimeMs::MAX, 0));
    (out, late)
}

/// The definition.
fn model(sources: &[Source]) -> (Vec<Place>, Vec<Place>) {
    let (mut out, mut late) = (vec![], vec![]);
    for source in sources {
        for (offset, is_late) in source.late().into_iter().enumerate() {
            if is_late { &mut late } else { &mut out }.push(source.place(offset));
        }
    }
    out.sort_unstable();
    late.sort_unstable();
    (out, late)
}

proptest! {
    #[test]
    fn what_is_released_is_all_that_was_not_late_in_order_however_arrivals_interleave(
        sources in sources(), turns in turns(),
    ) {
        let (out, mut late) = run(&sources, &turns, |_, _, _| {});
        late.sort_unstable();
        prop_assert_eq!((out, late), model(&sources));
    }

    #[test]
    fn an_event_leaves_as_soon_as_no_partition_can_bring_one_before_it(sources in sources(), turns in turns()) {
        run(&sources, &turns, |merge, arrived, out| {
            let mut expected = vec![];
            for (source, &count) in sources.iter().zip(arrived) {
                for (offset, is_late) in source.late()[..count].iter().enumerate() {
                    let (time_ms, stream, partition, _) = source.place(offset);
                    let may_leave = sources.iter().zip(arrived).all(|(other, &count)| {
                        (time_ms, stream, partition) <= (other.watermark(count), other.stream, other.partition)
                    });
                    if may_leave && !is_late {
                        expected.push(source.place(offset));
                    }
                }
            }
            expected.sort_unstable();
            assert_eq!(out, expected);
            let watermark = sources.iter().zip(arrived).map(|(source, &count)| source.watermark(count)).min();
            assert_eq!(Some(merge.watermark()), watermark);
            let holder = merge.held_back_by().and_then(|ix| merge.partition_watermark(ix));
            assert_eq!(holder.map(|holder| holder.time_ms()), watermark);
        });
    }

    #[test]
    fn saving_and_loading_in_the_middle_changes_nothing(sources in sources(), turns in turns(), at in 0usize..40) {
        let mut releases = 0;
        let (out, mut late) = run(&sources, &turns, |merge, _, _| {
            releases += 1;
            if releases == at {
                let mut writer = Writer::new();
                merge.save(&mut writer);
                let bytes = writer.into_bytes();
                let mut reader = Reader::new(&bytes);
                let loaded = Merge::load(&mut reader).unwrap();
                assert!(reader.is_done());
                assert_eq!((loaded.watermark(), loaded.waiting()), (merge.watermark(), merge.waiting()));
                *merge = loaded;
            }
        });
        late.sort_unstable();
        prop_assert_eq!((out, late), model(&sources));
    }

    #[test]
    fn idleness_may_make_events_late_but_never_breaks_the_order_or_loses_one(
        sources in sources(), turns in turns(), idle in prop::collection::vec((0u32..5, any::<bool>(), -30i64..60), 40),
    ) {
        let mut changes = idle.into_iter();
        let total: usize = sources.iter().map(|source| source.times.len()).sum();
        let mut merge = merge_of(&sources);
        let (mut out, mut late): (Vec<Place>, Vec<Late>) = (vec![], vec![]);
        let mut arrived = vec![0usize; sources.len()];
        for (ix, count, _) in turns.iter().copied().chain((0..sources.len()).map(|ix| (ix, usize::MAX, true))) {
            let ix = ix % sources.len();
            let end = sources[ix].times.len().min(arrived[ix].saturating_add(count));
            merge.push(PartitionIx(ix as u32), batch(&sources[ix], arrived[ix]..end), &mut late);
            arrived[ix] = end;
            if let Some((partition, is_idle, raise_ms)) = changes.next() {
                merge.set_idle(PartitionIx(partition), is_idle);
                merge.raise(raise_ms);
            }
            let before = merge.watermark();
            let released = merge.release();
            assert!(released.iter().all(|event| event.time_ms() >= before), "an event under the watermark");
            assert!(merge.watermark() >= before, "a watermark fell");
            out.extend(released.iter().map(place));
        }
        merge.end_all();
        out.extend(merge.release().iter().map(place));
        prop_assert!(out.is_sorted());
        prop_assert_eq!(out.len() + late.len(), total);
    }

    #[test]
    fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Merge::load(&mut Reader::new(&bytes));
    }
}

fn source(partition: u32, disorder_ms: TimeMs, times: &[TimeMs]) -> Source {
    Source { stream: 0, partition, disorder_ms, times: times.to_vec() }
}

#[test]
fn a_single_partition_in_order_adds_no_latency_and_copies_no_row() {
    let only = source(0, 0, &[1, 1, 2, 5]);
    let mut merge = merge_of(std::slice::from_ref(&only));
    let batch = batch(&only, 0..4);
    let rows = batch.event(StreamId(0), 0).unwrap().values.as_ptr();
    merge.push(PartitionIx(0), batch, &mut vec![]);
    let released = merge.release();
    assert_eq!((released.len(), merge.watermark(), merge.waiting()), (4, 5, 0));
    assert_eq!(released.event(0).unwrap().values.as_ptr(), rows);
    assert!(released.event(4).is_none());
    merge.recycle(released);
    assert_eq!(merge.spare(1).unwrap().len(), 0);
}

#[test]
fn an_instant_that_another_partition_may_still_fill_waits_only_for_partitions_before_it() {
    let sources = [source(0, 0, &[5]), source(1, 0, &[5])];
    let mut merge = merge_of(&sources);
    merge.push(PartitionIx(1), batch(&sources[1], 0..1), &mut vec![]);
    assert_eq!(merge.release().len(), 0, "partition 0 has said nothing");
    merge.push(PartitionIx(0), batch(&sources[0], 0..1), &mut vec![]);
    let released = merge.release();
    let partitions: Vec<u32> = released.iter().map(|event| event.header.partition).collect();
    assert_eq!(partitions, [0], "partition 0 may bring another event of the instant 5, before that of partition 1");
    assert_eq!(merge.held_back_by(), Some(PartitionIx(0)));
    merge.end(PartitionIx(0));
    assert_eq!(merge.release().len(), 1);
}

#[test]
fn the_wall_clock_moves_idle_partitions_only_and_what_then_comes_too_late_is_handed_back() {
    let sources = [source(0, 10, &[100, 103]), source(1, 10, &[200, 250])];
    let mut merge = merge_of(&sources);
    merge.push(PartitionIx(0), batch(&sources[0], 0..1), &mut vec![]);
    merge.push(PartitionIx(1), batch(&sources[1], 0..1), &mut vec![]);
    assert_eq!((merge.release().len(), merge.watermark()), (0, 90));
    merge.raise(500);
    assert_eq!((merge.release().len(), merge.watermark()), (0, 90), "both are active");
    merge.set_idle(PartitionIx(0), true);
    assert_eq!((merge.release().len(), merge.watermark()), (1, 190));
    merge.set_idle(PartitionIx(1), true);
    merge.raise(230);
    assert_eq!((merge.release().len(), merge.watermark()), (1, 230));
    let mut late = vec![];
    merge.push(PartitionIx(0), batch(&sources[0], 1..2), &mut late);
    merge.push(PartitionIx(1), batch(&sources[1], 1..2), &mut late);
    assert_eq!(late.len(), 1);
    assert_eq!((late[0].partition, late[0].header.time_ms, late[0].by_ms), (PartitionIx(0), 103, 127));
    assert_eq!(merge.waiting(), 1);
}

#[test]
fn times_at_the_ends_of_their_range_neither_overflow_nor_hang() {
    let sources = [source(0, i64::MAX, &[i64::MIN, i64::MAX, 0]), source(1, 0, &[i64::MIN, i64::MAX])];
    let (out, late) = run(&sources, &[(0, 1, true), (1, 1, true)], |_, _, _| {});
    assert_eq!((out.len(), late.len()), (5, 0));
    assert!(out.is_sorted());
}

#[test]
fn a_late_event_that_is_taken_leaves_as_of_the_watermark_at_which_it_came_wherever_the_rest_stands() {
    let sources = [source(0, 0, &[100, 40, 100, 70, 130]), source(1, 0, &[90, 100, 120, 140])];
    let play = |cuts: &[(usize, usize)], save: bool| {
        let (mut merge, mut out, mut late) = (merge_of(&sources), vec![], vec![]);
        let mut done = [0, 0];
        for &(ix, count) in cuts.iter().chain(&[(0, 9), (1, 9)]) {
            let end = sources[ix].times.len().min(done[ix] + count);
            let batch = batch(&sources[ix], done[ix]..end);
            done[ix] = end;
            merge.push_unless(PartitionIx(ix as u32), batch, &mut |event, _| event.time_ms() > 50, &mut late);
            let released = merge.release();
            out.extend(released.iter().enumerate().map(|(at, event)| (event.time_ms(), released.late_ms(at))));
            if save {
                let mut writer = Writer::new();
                merge.save(&mut writer);
                merge = Merge::load(&mut Reader::new(&writer.into_bytes())).unwrap();
            }
        }
        merge.end_all();
        let released = merge.release();
        out.extend(released.iter().enumerate().map(|(at, event)| (event.time_ms(), released.late_ms(at))));
        (out, late.len())
    };
    let on_time = |time_ms| (time_ms, None);
    let expected = [90, 100, 100].map(on_time).into_iter().chain([(70, Some(100))]);
    let expected: Vec<_> = expected.chain([100, 120, 130, 140].map(on_time)).collect();
    for cuts in [vec![], vec![(1, 9)], vec![(0, 2), (1, 1), (0, 1), (0, 1)], vec![(1, 3), (0, 4), (1, 1), (0, 1)]] {
        for save in [false, true] {
            assert_eq!(play(&cuts, save), (expected.clone(), 1), "{cuts:?}");
        }
    }
}
