use super::*;

const MINUTE: i64 = 60_000;

fn square(west: f64, south: f64, side: f64) -> Polygon {
    let (east, north) = (west + side, south + side);
    vec![vec![[west, south], [east, south], [east, north], [west, north], [west, south]]]
}

fn shape(id: &str, minute: i64, transition: &str, west: f64) -> RegionShape {
    RegionShape {
        id: id.to_owned(),
        tick_ms: minute * MINUTE,
        transition: transition.to_owned(),
        size: 4,
        polygons: vec![square(west, 50.0, 0.01)],
        centre: Some([west + 0.005, 50.005]),
        has_ended: matches!(transition, "absorbed" | "dissolved"),
        ..RegionShape::default()
    }
}

fn history() -> History {
    let mut history = History::new("surge <1>", 100);
    history.add(shape("a", 5, "emerged", 10.0));
    history.add(shape("b", 5, "emerged", 10.03));
    history.add(RegionShape { flags: vec!["moved".to_owned()], ..shape("a", 10, "survived", 10.01) });
    history.add(RegionShape { parents: vec!["b".to_owned()], size: 8, ..shape("a", 15, "survived", 10.01) });
    history.add(RegionShape { absorbed_into: Some("a".to_owned()), ..shape("b", 15, "absorbed", 10.03) });
    history.add(shape("a", 20, "split", 10.01));
    history.add(RegionShape { parents: vec!["a".to_owned()], ..shape("c", 20, "split_off", 10.02) });
    history.add(shape("c", 25, "dissolved", 10.02));
    history
}

fn frame(history: &History, at: usize) -> String {
    let map = Map::around(history.shapes().flat_map(|shape| &shape.polygons), 720.0, 600.0);
    let scenes = history.scenes();
    let panel = Panel { caption: None, scene: &scenes[at], marks: Vec::new(), notices: history.notices_at(at) };
    panels(&history.title, &map, &Backdrop::default(), 1, &[panel])
}

/// Whether every element that begins also ends, in order.
fn is_well_formed(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        if tag.matches('"').count() % 2 == 1 {
            return false;
        }
    }
    open.is_empty()
}

#[test]
fn a_scene_holds_what_is_said_and_what_goes_on() {
    let history = history();
    let scenes = history.scenes();
    let ids = |at: usize| -> Vec<(&str, bool)> {
        scenes[at].entries.iter().map(|entry| (entry.shape.id.as_str(), entry.is_news)).collect()
    };
    assert_eq!(ids(0), [("a", true), ("b", true)]);
    assert_eq!(ids(1), [("a", true), ("b", false)]);
    assert_eq!(ids(2), [("a", true), ("b", true)]);
    assert_eq!(ids(3), [("a", true), ("c", true)]);
    assert_eq!(ids(4), [("a", false), ("c", true)]);
}

#[test]
fn a_frame_is_well_formed_and_says_what_happened() {
    let history = history();
    for at in 0..5 {
        let text = frame(&history, at);
        assert!(is_well_formed(&text), "{text}");
        assert!(text.contains("surge &lt;1&gt;") && text.contains("UTC") && text.contains(">500 m<"), "{text}");
        assert!(text.len() < 5_000, "{}", text.len());
    }
    assert!(frame(&history, 1).contains(">moved</text>"));
    assert!(frame(&history, 2).contains(">absorbed into a</text>") && frame(&history, 2).contains(">took in b</text>"));
}

#[test]
fn only_a_region_that_went_somewhere_has_an_arrow() {
    let history = history();
    let arrows = |at: usize| frame(&history, at).matches("stroke=\"#222\"").count();
    assert_eq!((0..5).map(arrows).collect::<Vec<_>>(), [0, 1, 0, 0, 0]);
}

#[test]
fn a_lineage_has_a_lane_for_each_region_and_joints_between_them() {
    let text = lineage(&history());
    assert!(is_well_formed(&text), "{text}");
    // One where b is absorbed, one where c is split off.
    assert_eq!(text.matches("stroke-opacity=\"0.55\"").count(), 2);
    for id in ["a", "b", "c"] {
        assert!(text.contains(&format!("<title>{id}, up to")), "{id}");
    }
    assert!(text.contains("00:10") && text.len() < 6_000);
    assert!(lineage(&History::new("none", 5)).contains("no regions"));
}

fn notice(minute: i64, region: Option<&str>, text: &str) -> Notice {
    Notice { at_ms: minute * MINUTE, region: region.map(str::to_owned), text: text.to_owned() }
}

#[test]
fn an_alert_stands_on_the_map_of_its_time_and_on_the_lane_of_its_region() {
    let mut history = history();
    let plain = [frame(&history, 1), lineage(&history)];
    history.tell(notice(12, Some("a"), "Spreads & grows"));
    history.tell(notice(16, None, "Many"));
    for text in [frame(&history, 1), lineage(&history)] {
        assert!(is_well_formed(&text) && text.contains(">Spreads &amp; grows</text>"), "{text}");
        assert!(text.contains("#b00020") && plain.iter().all(|plain| !plain.contains("#b00020")));
    }
    assert!(!frame(&history, 1).contains("Many") && frame(&history, 2).contains(">Many</text>"));
    assert!(!frame(&history, 0).contains("#b00020") && !frame(&history, 3).contains("#b00020"));
}

#[test]
fn alerts_after_the_last_map_are_left_out_and_said() {
    let mut history = History::new("long", 2);
    (1..6).for_each(|minute| history.add(shape("a", minute, "survived", 10.0)));
    history.tell(notice(2, Some("a"), "Early"));
    history.tell(notice(4, Some("a"), "Late"));
    let text = lineage(&history);
    assert!(text.contains("Early") && !text.contains("Late") && text.contains("1 more alerts"), "{text}");
    assert!(frame(&history, 1).contains("Early") && !frame(&history, 1).contains("Late"));
}

#[test]
fn pictures_are_the_same_each_time() {
    assert_eq!(frame(&history(), 2), frame(&history(), 2));
    assert_eq!(lineage(&history()), lineage(&history()));
}

#[test]
fn what_is_past_the_bound_is_left_out_and_said() {
    let mut history = History::new("long", 2);
    for minute in 1..6 {
        history.add(shape("a", minute, if minute == 1 { "emerged" } else { "survived" }, 10.0));
        history.add(shape("b", minute, if minute == 1 { "emerged" } else { "survived" }, 10.03));
    }
    assert_eq!((history.ticks().len(), history.left_out()), (2, 3));
    assert!(lineage(&history).contains("3 later ticks"));
}

#[test]
fn what_is_cut_at_the_antimeridian_has_no_line_there() {
    let mut history = History::new("far", 5);
    let polygons = vec![square(179.9, 10.0, 0.1), square(-180.0, 10.0, 0.1)];
    history.add(RegionShape { polygons, centre: Some([180.0, 10.05]), ..shape("a", 1, "emerged", 0.0) });
    let text = frame(&history, 0);
    assert!(is_well_formed(&text));
    // The area and its rim are drawn apart: of either square the rim has three sides, so it isn't closed.
    let rim = text.split("d=\"").find(|part| part.contains("fill=\"none\"")).unwrap().split('"').next().unwrap();
    assert!(!rim.contains('Z') && rim.matches('M').count() >= 2, "{rim}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]
    #[test]
    fn whatever_is_said_pictures_are_well_formed(
        said in proptest::collection::vec(
            (proptest::num::i64::ANY, 0usize..6, 0usize..6, ".{0,8}", proptest::num::f64::ANY, proptest::num::f64::ANY), 0..24,
        ),
        is_near in proptest::bool::ANY,
    ) {
        let words = ["emerged", "survived", "split", "split_off", "absorbed", "dissolved"];
        let mut said = said;
        if is_near {
            said.iter_mut().for_each(|it| it.0 = it.0.rem_euclid(5) * MINUTE);
        }
        said.sort_by_key(|it| it.0);
        let mut history = History::new("any", 40);
        for (tick_ms, id, word, flag, x, y) in said {
            history.add(RegionShape {
                id: format!("{id}{flag}"),
                tick_ms,
                transition: words[word].to_owned(),
                flags: vec![flag],
                size: word,
                polygons: vec![vec![vec![[x, y], [x + 1.0, y], [5.0, 6.0], [x, y]]], vec![vec![]], vec![]],
                centre: Some([x, y]),
                parents: vec![format!("{}", (id + 1) % 6)],
                absorbed_into: (word == 4).then(|| format!("{}", (id + 1) % 6)),
                has_ended: word >= 4,
            });
        }
        for (at_ms, text) in history.shapes().map(|shape| (shape.tick_ms, shape.id.clone())).collect::<Vec<_>>() {
            history.tell(Notice { at_ms, region: Some(text.clone()), text });
        }
        proptest::prop_assert!(is_well_formed(&lineage(&history)));
        for at in 0..history.scenes().len() {
            proptest::prop_assert!(is_well_formed(&frame(&history, at)));
        }
    }
}
