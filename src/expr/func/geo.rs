//! The earth. Distances and bearings take WGS 84 positions.

use super::{Function, Param, Returns};
use crate::{
    geo::{Cell, Position, Resolution, bearing_deg, geodesic_m, haversine_m},
    model::{Type, Unit, Value},
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "distance",
        params: &[Param::Is(Type::Point), Param::Is(Type::Point)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::Metre)),
        doc: "The length of the geodesic between two positions on the WGS 84 ellipsoid.",
        example: ("round(distance(point(0, 0), point(1, 0)))", "111319"),
        eval: |args| between(args, geodesic_m),
    },
    Function {
        name: "haversine",
        params: &[Param::Is(Type::Point), Param::Is(Type::Point)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::Metre)),
        doc: "The great-circle distance on a sphere of radius 6,371,008.8 m: cheaper, up to 0.56 % off the ellipsoid.",
        example: ("round(haversine(point(0, 0), point(1, 0)))", "111195"),
        eval: |args| between(args, haversine_m),
    },
    Function {
        name: "bearing",
        params: &[Param::Is(Type::Point), Param::Is(Type::Point)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::Degree)),
        doc: "The initial course from the first position to the second, clockwise from north, in [0, 360).",
        example: ("bearing(point(0, 0), point(1, 0))", "90"),
        eval: |args| between(args, bearing_deg),
    },
    Function {
        name: "turn",
        params: &[Param::Is(Type::Quantity(Unit::Degree)), Param::Is(Type::Quantity(Unit::Degree))],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::Degree)),
        doc: "The smaller angle between two courses, 0 to 180, also across north.",
        example: ("turn(350 deg, 10 deg)", "20"),
        eval: |args| match args {
            [a, b] => {
                let (Some(a), Some(b)) = (a.number(), b.number()) else { return Value::Null };
                let way = (a - b).rem_euclid(360.0);
                way.min(360.0 - way).into()
            }
            _ => Value::Null,
        },
    },
    Function {
        name: "point",
        params: &[Param::Number, Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Point),
        doc: "The position at a longitude and a latitude; null where they are out of range.",
        example: ("lat(point(4, 52))", "52"),
        eval: |args| match args {
            [lon, lat] => {
                let (Some(lon), Some(lat)) = (lon.number(), lat.number()) else { return Value::Null };
                Position::new(lon, lat).map_or(Value::Null, Value::Point)
            }
            _ => Value::Null,
        },
    },
    Function {
        name: "lon",
        params: &[Param::Is(Type::Point)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::Degree)),
        doc: "The longitude of a position.",
        example: ("lon(point(4, 52))", "4"),
        eval: |args| match args {
            [Value::Point(position)] => Value::Float(position.lon()),
            _ => Value::Null,
        },
    },
    Function {
        name: "lat",
        params: &[Param::Is(Type::Point)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::Degree)),
        doc: "The latitude of a position.",
        example: ("lat(point(4, 52))", "52"),
        eval: |args| match args {
            [Value::Point(position)] => Value::Float(position.lat()),
            _ => Value::Null,
        },
    },
    Function {
        name: "h3",
        params: &[Param::Is(Type::Point), Param::Is(Type::Int)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Cell),
        doc: "The H3 cell of a position at a resolution from 0 to 15.",
        example: ("h3(point(-73.98, 40.75), 8)", "h3(point(-73.98, 40.75), 8)"),
        eval: |args| match args {
            [Value::Point(position), Value::Int(resolution)] => match Resolution::new(*resolution) {
                Ok(resolution) => Value::Cell(Cell::at(*position, resolution)),
                Err(_) => Value::Null,
            },
            _ => Value::Null,
        },
    },
    Function {
        name: "parent",
        params: &[Param::Is(Type::Cell), Param::Is(Type::Int)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Cell),
        doc: "The cell's ancestor at a coarser resolution; null at a finer one.",
        example: ("parent(h3(point(4, 52), 8), 4) = h3(point(4, 52), 4)", "TRUE"),
        eval: |args| match args {
            [Value::Cell(cell), Value::Int(resolution)] => {
                let resolution = Resolution::new(*resolution).ok();
                resolution.and_then(|resolution| cell.parent(resolution).ok()).map_or(Value::Null, Value::Cell)
            }
            _ => Value::Null,
        },
    },
];

fn between(args: &[Value], measure: fn(Position, Position) -> f64) -> Value {
    match args {
        [Value::Point(a), Value::Point(b)] => measure(*a, *b).into(),
        _ => Value::Null,
    }
}
