//! Random tracks: in a harbour, across ±180°, round the poles.

use super::{
    kit::{Ping, Run, both_slower_than, near, two_streams},
    model::Model,
};
use crate::{
    geo::{Position, destination},
    plan,
};
use proptest::prelude::*;

fn anywhere() -> impl Strategy<Value = Position> {
    let of = |lon: f64, lat: f64| Position::new(lon, lat).unwrap();
    prop_oneof![
        Just(of(-1.3, 50.7)),
        Just(of(179.999, 10.0)),
        Just(of(180.0, -70.0)),
        Just(of(0.0, 90.0)),
        Just(of(123.0, -89.999)),
        Just(of(0.0, 0.0)),
        (-180.0..180.0, -90.0..90.0).prop_map(move |(lon, lat)| of(lon, lat)),
    ]
}

/// Pings round a place; some are far out.
fn pings(start_ms: i64) -> impl Strategy<Value = Vec<Ping>> {
    let step =
        (0usize..2, prop_oneof![0i64..3, 0i64..20_000, 60_000i64..200_000], 0i64..8, 0.0..360.0, 0.0..900.0, 0.0..5.0);
    (anywhere(), prop::collection::vec(step, 1..60)).prop_map(move |(centre, steps)| {
        let mut now_ms = start_ms;
        let ping = |(input, wait_ms, id, bearing, metres, speed): (usize, i64, i64, f64, f64, f64)| {
            now_ms += wait_ms;
            (input, now_ms, id, destination(centre, bearing, metres), speed)
        };
        steps.into_iter().map(ping).collect()
    })
}

fn clause() -> impl Strategy<Value = (plan::Near, Option<f64>)> {
    let every = prop_oneof![Just(None), Just(Some(10_000)), Just(Some(7_777))];
    (
        (any::<bool>(), any::<bool>(), prop::option::of(1_000i64..60_000)),
        every,
        prop_oneof![Just(500.0), Just(700.0), 1.0..2_000.0],
        prop::option::of(2.0..5.0),
        1i64..90_000,
    )
        .prop_map(|((same, all, align_ms), every_ms, leave_m, limit, apart_ms)| {
            let near = near();
            let within_m = near.within_m.min(leave_m);
            let mut near = plan::Near { every_ms, leave_m, within_m, on: limit.map(both_slower_than), ..near };
            (near.apart_ms, near.valid_ms) =
                if every_ms.is_some() { (apart_ms, 60_000) } else { (apart_ms, apart_ms.min(60_000)) };
            near.all = all && every_ms.is_none();
            near.align_ms = align_ms;
            if let Some(align_ms) = align_ms {
                near.valid_ms = near.valid_ms.min(align_ms);
            }
            if !same {
                near = two_streams(near);
            }
            (near, limit)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_is_what_comparing_everybody_with_everybody_gives(
        (near, limit) in clause(),
        pings in prop_oneof![pings(1_000_000), pings(-600_000)],
        looks in prop::collection::vec(any::<bool>(), 60),
        cut in 0usize..60,
    ) {
        let mut model = Model::new(near.clone(), limit, pings[0].1);
        let mut run = Run::new(&near);
        for (at, ping) in pings.iter().enumerate() {
            let input = if near.same { 0 } else { ping.0 };
            let ping = (input, ping.1, ping.2, ping.3, ping.4);
            // It doesn't matter whether time passes before or with the next event.
            if looks[at] {
                run.advance(ping.1);
            }
            run.ping(ping);
            model.ping(ping);
            if at == cut {
                run.reload();
            }
        }
        let end_ms = pings[pings.len() - 1].1 + 200_000;
        model.advance(end_ms);
        run.advance(end_ms);
        prop_assert_eq!(&run.said, &model.said);
        prop_assert!(run.is_idle() && run.pairs() == 0 && run.deadline().is_none());
    }

    #[test]
    fn broken_state_is_an_error_and_never_a_panic(
        (near, _) in clause(),
        pings in pings(0),
        at in 0.0..1.0,
        byte in any::<u8>(),
        garbage in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut run = Run::new(&near);
        for ping in pings {
            run.ping((if near.same { 0 } else { ping.0 }, ping.1, ping.2, ping.3, ping.4));
        }
        let _ = run.load(&garbage);
        let mut bytes = run.bytes();
        let place = (at * bytes.len() as f64) as usize;
        let _ = run.load(&bytes[..place]);
        bytes[place] = byte;
        let _ = run.load(&bytes);
    }
}
