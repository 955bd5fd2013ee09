//! Functions of H3 cells: their neighbourhood, size and distance.

use super::{Function, Param, Returns};
use crate::{
    geo::{Cell, MAX_COVER, Resolution},
    model::{Type, Unit, Value},
};
use std::sync::Arc;

/// Steps that `disk` and `ring` reach at most: 1,261 cells.
const STEPS_MAX: i64 = 20;

const CELL_AND_STEPS: &[Param] = &[Param::Is(Type::Cell), Param::Is(Type::Int)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "center",
        params: &[Param::Is(Type::Cell)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Point),
        doc: "The centre of a cell.",
        example: ("h3(center(h3(point(4, 52), 8)), 8) = h3(point(4, 52), 8)", "TRUE"),
        eval: |args| match args {
            [Value::Cell(cell)] => Value::Point(cell.centre()),
            _ => Value::Null,
        },
    },
    Function {
        name: "resolution",
        params: &[Param::Is(Type::Cell)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Int),
        doc: "The resolution of a cell, 0 to 15.",
        example: ("resolution(h3(point(4, 52), 8))", "8"),
        eval: |args| match args {
            [Value::Cell(cell)] => Value::Int(cell.resolution().value().into()),
            _ => Value::Null,
        },
    },
    Function {
        name: "cell_area",
        params: &[Param::Is(Type::Cell)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::SquareMetre)),
        doc: "The area of a cell, on the sphere that H3 is defined on.",
        example: ("round(cell_area(h3(point(4, 52), 8)) / 1 km2, 2)", "0.62"),
        eval: |args| match args {
            [Value::Cell(cell)] => cell.area_m2().into(),
            _ => Value::Null,
        },
    },
    Function {
        name: "grid_distance",
        params: &[Param::Is(Type::Cell), Param::Is(Type::Cell)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Int),
        doc: "How many steps on the grid it is between two cells of one resolution; null for others, very far ones, and some with a pentagon in between.",
        example: ("grid_distance(h3(point(4, 52), 8), h3(point(4, 52), 8))", "0"),
        eval: |args| match args {
            [Value::Cell(a), Value::Cell(b)] => a.steps_to(*b).map_or(Value::Null, |steps| Value::Int(steps.into())),
            _ => Value::Null,
        },
    },
    Function {
        name: "disk",
        params: CELL_AND_STEPS,
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::List),
        doc: "The cells at most so many steps (0 to 20) from a cell, itself included: a list to UNNEST.",
        example: ("disk(h3(point(4, 52), 8), 0) = ring(h3(point(4, 52), 8), 0)", "TRUE"),
        eval: |args| around(args, |cell, steps| cell.disk(steps).ok()),
    },
    Function {
        name: "ring",
        params: CELL_AND_STEPS,
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::List),
        doc: "The cells exactly so many steps (0 to 20) from a cell.",
        example: ("ring(h3(point(4, 52), 8), 0) = disk(h3(point(4, 52), 8), 0)", "TRUE"),
        eval: |args| around(args, |cell, steps| cell.ring(steps).ok()),
    },
    Function {
        name: "compact",
        params: &[Param::Is(Type::List)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::List),
        doc: "The same area in the fewest cells: where all children of a cell are in the list, the cell itself. The cells are of one resolution; null where they aren't.",
        example: (
            "compact(uncompact(compact(disk(h3(point(4, 52), 8), 2)), 8)) = compact(disk(h3(point(4, 52), 8), 2))",
            "TRUE",
        ),
        eval: |args| match args {
            [Value::List(cells)] => {
                cells_of(cells).and_then(|cells| Cell::compacted(cells).ok()).map_or(Value::Null, list)
            }
            _ => Value::Null,
        },
    },
    Function {
        name: "uncompact",
        params: &[Param::Is(Type::List), Param::Is(Type::Int)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::List),
        doc: "The cells of a resolution that a list of cells, of it or coarser, is made of; null where one is finer, or they are more than 100,000.",
        example: ("uncompact(disk(h3(point(4, 52), 8), 0), 8) = disk(h3(point(4, 52), 8), 0)", "TRUE"),
        eval: |args| match args {
            [Value::List(cells), Value::Int(resolution)] => cells_of(cells)
                .zip(Resolution::new(*resolution).ok())
                .and_then(|(cells, resolution)| Cell::uncompacted(&cells, resolution, MAX_COVER))
                .map_or(Value::Null, list),
            _ => Value::Null,
        },
    },
    Function {
        name: "contains_cell",
        params: &[Param::Is(Type::List), Param::Is(Type::Cell)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Bool),
        doc: "Whether a cell, or one that it is in, is in the list, which may be compact.",
        example: ("contains_cell(disk(parent(h3(point(4, 52), 8), 6), 0), h3(point(4, 52), 8))", "TRUE"),
        eval: |args| match args {
            [Value::List(cells), Value::Cell(cell)] => {
                let is_it = |other: &Value| match other {
                    Value::Cell(other) => cell.parent(other.resolution()) == Ok(*other),
                    _ => false,
                };
                Value::Bool(cells.iter().any(is_it))
            }
            _ => Value::Null,
        },
    },
];

fn list(cells: Vec<Cell>) -> Value {
    Value::List(Arc::new(cells.into_iter().map(Value::Cell).collect()))
}

/// The cells of a list; none where something else is in it.
fn cells_of(list: &[Value]) -> Option<Vec<Cell>> {
    let cell = |value: &Value| match value {
        Value::Cell(cell) => Some(*cell),
        _ => None,
    };
    list.iter().map(cell).collect()
}

fn around(args: &[Value], cells: fn(Cell, u32) -> Option<Vec<Cell>>) -> Value {
    match args {
        [Value::Cell(cell), Value::Int(steps @ 0..=STEPS_MAX)] => match cells(*cell, *steps as u32) {
            Some(cells) => list(cells),
            None => Value::Null,
        },
        _ => Value::Null,
    }
}
