//! Lists as sets: who is in both, in either, how alike they are. Elements are the same if they were the same key.

use super::{Function, Param, Returns};
use crate::model::{Key, Type, Value};
use std::{collections::BTreeSet, sync::Arc};

const LIST: &[Param] = &[Param::Is(Type::List)];
const TWO_LISTS: &[Param] = &[Param::Is(Type::List), Param::Is(Type::List)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "size",
        params: LIST,
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Int),
        doc: "How many elements a list has.",
        example: ("size(disk(h3(point(4, 52), 8), 1))", "7"),
        eval: |args| match args {
            [Value::List(list)] => Value::Int(list.len() as i64),
            _ => Value::Null,
        },
    },
    Function {
        name: "intersection",
        params: TWO_LISTS,
        optional: 0,
        variadic: true,
        returns: Returns::Is(Type::List),
        doc: "The elements that all of the lists have, each once and in order.",
        example: ("size(intersection(disk(h3(point(4, 52), 8), 2), disk(h3(point(4, 52), 8), 1)))", "7"),
        eval: |args| {
            let mut sets = args.iter().map(set);
            let Some(Some(mut common)) = sets.next() else { return Value::Null };
            for other in sets {
                let Some(other) = other else { return Value::Null };
                common.retain(|element| other.contains(element));
            }
            list(common)
        },
    },
    Function {
        name: "union",
        params: TWO_LISTS,
        optional: 0,
        variadic: true,
        returns: Returns::Is(Type::List),
        doc: "The elements that any of the lists has, each once and in order.",
        example: ("size(union(disk(h3(point(4, 52), 8), 1), ring(h3(point(4, 52), 8), 2)))", "19"),
        eval: |args| match args.iter().map(set).collect::<Option<Vec<_>>>() {
            Some(sets) => list(sets.into_iter().flatten().collect()),
            None => Value::Null,
        },
    },
    Function {
        name: "jaccard",
        params: TWO_LISTS,
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Float),
        doc: "How alike two lists are as sets: what both have by what any has, 0 to 1; null if both are empty.",
        example: ("jaccard(disk(h3(point(4, 52), 8), 1), ring(h3(point(4, 52), 8), 1)) > 0.85", "TRUE"),
        eval: |args| match args {
            [a, b] => match (set(a), set(b)) {
                (Some(a), Some(b)) => {
                    let both = a.intersection(&b).count();
                    let any = a.len() + b.len() - both;
                    if any == 0 { Value::Null } else { Value::Float(both as f64 / any as f64) }
                }
                _ => Value::Null,
            },
            _ => Value::Null,
        },
    },
    Function {
        name: "flatten",
        params: LIST,
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::List),
        doc: "The elements of the lists in a list, each once and in order: of `collect(DISTINCT who)`, where `who` is a list, everybody.",
        example: ("size(flatten(disk(h3(point(4, 52), 8), 1)))", "7"),
        eval: |args| match args {
            [Value::List(lists)] => {
                let mut all = BTreeSet::new();
                for element in lists.iter() {
                    match element {
                        Value::List(elements) => all.extend(elements.iter().map(key)),
                        other => drop(all.insert(key(other))),
                    }
                }
                list(all)
            }
            _ => Value::Null,
        },
    },
];

fn key(value: &Value) -> Key {
    Key::new([value])
}

fn set(value: &Value) -> Option<BTreeSet<Key>> {
    match value {
        Value::List(list) => Some(list.iter().map(key).collect()),
        _ => None,
    }
}

/// In the order of their canonical bytes, as `collect(DISTINCT …)` has them.
fn list(elements: BTreeSet<Key>) -> Value {
    Value::List(Arc::new(elements.into_iter().flat_map(|key| key.values()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, args: &[Value]) -> Value {
        (super::super::find(name).unwrap().eval)(args)
    }

    fn ints(values: &[i64]) -> Value {
        Value::List(Arc::new(values.iter().copied().map(Value::Int).collect()))
    }

    #[test]
    fn lists_are_taken_as_sets_in_order() {
        let (a, b) = (ints(&[3, 1, 2, 3]), ints(&[5, 3, -1, 2]));
        assert_eq!(call("intersection", &[a.clone(), b.clone()]), ints(&[2, 3]));
        assert_eq!(call("intersection", &[a.clone(), b.clone(), ints(&[3])]), ints(&[3]));
        assert_eq!(call("union", &[a.clone(), b.clone()]), ints(&[-1, 1, 2, 3, 5]));
        assert_eq!(call("jaccard", &[a.clone(), b.clone()]), Value::Float(0.4));
        assert_eq!(call("size", std::slice::from_ref(&a)), Value::Int(4));
        let nested = Value::List(Arc::new(vec![a.clone(), ints(&[]), b, Value::Int(9)]));
        assert_eq!(call("flatten", &[nested]), ints(&[-1, 1, 2, 3, 5, 9]));
    }

    #[test]
    fn what_is_no_list_gives_null_and_nothing_is_like_nothing() {
        assert_eq!(call("intersection", &[ints(&[1]), Value::Null]), Value::Null);
        assert_eq!(call("union", &[Value::Null, ints(&[1])]), Value::Null);
        assert_eq!(call("jaccard", &[ints(&[]), ints(&[])]), Value::Null);
        assert_eq!(call("jaccard", &[ints(&[]), ints(&[1])]), Value::Float(0.0));
        assert_eq!(call("size", &[Value::Int(1)]), Value::Null);
        assert_eq!(call("flatten", &[Value::Null]), Value::Null);
    }
}
