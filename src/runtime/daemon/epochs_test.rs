use super::*;

fn line(id: &str) -> Vec<u8> {
    format!(
        "{{\"properties\":{{\"id\":\"{id}\",\"rule\":\"R\",\"rule_version\":\"1\",\"status\":\"firing\",\"key\":{{}}}}}}"
    )
    .into_bytes()
}

fn batch(ids: &[&str]) -> Arc<Lines> {
    let mut lines = Lines::new();
    ids.iter().for_each(|id| lines.push_with("R", |out| out.extend(line(id))));
    Arc::new(lines)
}

fn epoch(number: u64, ids: &[&str]) -> Epoch {
    Epoch { number, lines: ids.iter().map(|id| ("R".to_owned(), line(id))).collect() }
}

fn saved(number: u64, waiting: Vec<Epoch>, known: &[&str]) -> SinkEpochs {
    let known = known.iter().map(|id| (*id).to_owned()).collect();
    SinkEpochs { number, waiting, known, ..SinkEpochs::default() }
}

fn names(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn what_the_marker_says_was_committed_is_dropped_and_the_rest_is_sent_under_its_numbers() {
    let saved = saved(7, vec![epoch(5, &["a"]), epoch(6, &["b"]), epoch(7, &["c"])], &[]);
    for (marker, left) in [(4, vec![5, 6, 7]), (5, vec![6, 7]), (7, vec![])] {
        assert!(!Opened::must_search(Some(&saved), Some(marker)));
        let opened = Opened::decide(Some(&saved), marker, None, &[]);
        assert_eq!(opened.waiting.iter().map(|epoch| epoch.number).collect::<Vec<_>>(), left);
        assert_eq!((opened.number, opened.known.len()), (7, 0));
    }
}

#[test]
fn an_earlier_checkpoint_than_the_markers_is_completed_by_what_the_topic_has() {
    // Epochs 8 and 9 were committed, then their checkpoints were lost; `b` was not yet known to be committed.
    let saved = saved(7, vec![epoch(6, &["b"]), epoch(7, &["c"])], &["old"]);
    assert!(Opened::must_search(Some(&saved), Some(9)) && Opened::must_search(Some(&saved), None));
    let opened = Opened::decide(Some(&saved), 9, Some(names(&["b", "d", "e"])), &[]);
    assert_eq!(opened.waiting, [epoch(10, &["c"])]);
    assert_eq!((opened.number, opened.known), (10, names(&["d", "e", "old"]).into_iter().collect()));
}

#[test]
fn without_a_checkpoint_numbers_go_on_after_the_marker() {
    assert!(!Opened::must_search(None, Some(9)));
    let opened = Opened::decide(None, 9, None, &epoch(0, &["x"]).lines);
    assert_eq!((opened.number, opened.waiting), (10, vec![epoch(10, &["x"])]));
}

#[test]
fn lines_wait_for_a_durable_checkpoint_and_those_that_are_known_do_not_come_again() {
    let queue = Arc::new(Queue::default());
    let opened = Opened { number: 3, known: names(&["k"]).into_iter().collect(), waiting: vec![epoch(2, &["w"])] };
    let mut epochs = Epochs::new("alerts", "id", Aside::No, Arc::clone(&queue), opened);
    epochs.take(&batch(&["a", "k", "b"]), Aside::No);
    epochs.take(&batch(&["s"]), Aside::Yes);
    epochs.take(&batch(&["k"]), Aside::No);
    epochs.cut();
    let held = epochs.held().saved();
    assert_eq!((held.number, held.known.len()), (4, 0));
    assert_eq!(held.waiting, [epoch(2, &["w"]), epoch(4, &["a", "b", "k"])]);
    // The checkpoint failed: the next has them, too.
    epochs.take(&batch(&["c"]), Aside::No);
    epochs.cut();
    assert_eq!(epochs.held().saved().waiting.len(), 3);
    let next = queue.next().unwrap();
    assert_eq!((next.number, queue.unsent()), (2, 1));
    queue.committed(2, Ends::from([(0, 1)]));
    epochs.durable();
    let next = queue.next().unwrap();
    assert_eq!((next.number, next.batches.len(), queue.unsent()), (5, 3, 4));
    assert_eq!(epochs.held().saved().ends, [(0, 1)]);
    queue.committed(5, Ends::new());
    queue.close();
    assert!(queue.next().is_none() && queue.unsent() == 0);
    assert_eq!(epochs.bytes(), (0, 0));
}
