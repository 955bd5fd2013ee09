//! The town's fences: `zones.geojson` and `airports.geojson`.

use crate::scenario::fence::{Fence, FenceFile, rectangle};
use crate::scenario::plane::{Plane, Spot, km, regular};
use crate::scenario::record::Field;

/// The middle of the town.
pub(super) const CENTRE: Spot = km(0.0, 0.0);
/// Metres from the middle to the ring road.
pub(super) const RING: f64 = 3500.0;
/// South-west and north-east corner of the zone `north`, speed limit 50 km/h.
pub(super) const NORTH: (Spot, Spot) = (km(-3.0, 4.4), km(3.0, 8.0));
/// The airport's western edge and the place of its queue; the road comes in along `y = 2` km.
pub(super) const AIRPORT_GATE: Spot = km(8.4, 2.0);
/// Where vehicles stand and wait for a ride, at least 400 m from every edge of the fence.
pub(super) const AIRPORT_STAND: Spot = km(9.0, 2.0);

fn limit(kmh: i64, name: &'static str) -> Vec<(&'static str, Field)> {
    vec![("name", Field::Word(name)), ("speed_limit", Field::Int(kmh))]
}

/// Both fence files.
pub(super) fn files(town: &Plane) -> Vec<FenceFile> {
    vec![FenceFile::new("airports", town, &airports()), FenceFile::new("zones", town, &zones())]
}

fn airports() -> Vec<Fence> {
    let corners = vec![km(8.4, 1.2), km(10.2, 0.9), km(10.6, 2.4), km(10.0, 3.1), km(8.4, 2.9)];
    let airfield = rectangle(km(-9.0, -8.0), km(-7.8, -7.4));
    let kind = |word| ("kind", Field::Word(word));
    vec![
        Fence::simple("airport-east", vec![("name", Field::Word("East Airport")), kind("airport")], corners),
        Fence::simple("airfield-west", vec![("name", Field::Word("West Airfield")), kind("airfield")], airfield),
    ]
}

fn zones() -> Vec<Fence> {
    let annulus = vec![vec![regular(CENTRE, RING + 300.0, 48), regular(CENTRE, RING - 300.0, 48)]];
    let centre = vec![vec![regular(CENTRE, 2600.0, 16), regular(km(0.4, -0.3), 450.0, 8)]];
    let banks = vec![
        vec![vec![km(-7.0, -2.5), km(-4.6, -2.2), km(-4.4, -0.4), km(-7.0, -0.4)]],
        vec![vec![km(-7.0, 0.2), km(-4.4, 0.2), km(-4.8, 2.4), km(-6.6, 2.9)]],
    ];
    vec![
        // The park in its middle is not part of the centre.
        Fence { id: "centre", properties: limit(30, "Centre"), polygons: centre },
        Fence { id: "ring", properties: limit(80, "Ring road"), polygons: annulus },
        Fence::simple("north", limit(50, "North"), rectangle(NORTH.0, NORTH.1)),
        // Two banks of a river that is in neither.
        Fence { id: "banks", properties: limit(50, "River banks"), polygons: banks },
    ]
}
