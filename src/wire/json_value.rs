//! The values of needed keys: scalars, lists of them, and the shapes in which a point may come.

use super::{
    layout::{Raw, Want, clip},
    record::TimeUnit,
};
use crate::model::{Text, Value, parse_time};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Lists in lists deeper than this are no values: state could not be read back.
const LIST_DEPTH_MAX: u8 = 8;

/// The value of a needed key.
pub(super) struct Scalar {
    pub(super) want: Want,
}

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Raw;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Big(value), Raw::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
        Ok(text_value(self.want, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        if self.want.list {
            let mut list = Vec::new();
            let mut whole = true;
            while let Some(item) = seq.next_element_seed(Item { depth: 1 })? {
                whole &= item.is_some();
                list.extend(item);
            }
            if self.want.point
                && let [lon, lat, ..] = &list[..]
                && let (Some(lon), Some(lat)) = (lon.number(), lat.number())
            {
                return Ok(Raw::Point(lon, lat));
            }
            return Ok(if whole { Raw::List(list.into()) } else { Raw::Other("a list with objects or too deep") });
        }
        let point = coordinates(&mut seq)?;
        Ok(point.filter(|_| self.want.point).map_or(Raw::Other("a list"), |(lon, lat)| Raw::Point(lon, lat)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        if !self.want.point {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Raw::Other("an object"));
        }
        let (mut lon, mut lat, mut point, mut is_point) = (None, None, None, true);
        while let Some(key) = map.next_key::<GeometryKey>()? {
            match key {
                GeometryKey::Type => is_point = map.next_value_seed(IsPoint)?,
                GeometryKey::Coordinates => point = map.next_value_seed(Coordinates)?,
                GeometryKey::Lon => lon = map.next_value_seed(Item { depth: 0 })?.and_then(|value| value.number()),
                GeometryKey::Lat => lat = map.next_value_seed(Item { depth: 0 })?.and_then(|value| value.number()),
                GeometryKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(match point.or(lon.zip(lat)) {
            _ if !is_point => Raw::Other("a geometry that is no point"),
            Some((lon, lat)) => Raw::Point(lon, lat),
            None => Raw::Other("an object without two coordinates"),
        })
    }
}

/// What a text is to a needed key.
#[inline]
pub(super) fn text_value(want: Want, value: &str) -> Raw {
    // Read here, an instant needs no copy of its text, which is too long to be held in place.
    match want.time.then(|| parse_time(value)) {
        Some(Ok(at_ms)) if TimeUnit::Milliseconds.of_int(at_ms).is_some() => Raw::Time(at_ms),
        Some(_) => Raw::Text(clip(value).into()),
        None => Raw::Text(Text::from(value)),
    }
}

/// The first two numbers of a list, to its end.
fn coordinates<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<Option<(f64, f64)>, A::Error> {
    let lon = seq.next_element_seed(Item { depth: LIST_DEPTH_MAX })?.flatten();
    let lat = seq.next_element_seed(Item { depth: LIST_DEPTH_MAX })?.flatten();
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    let degrees = |value: Option<Value>| value.filter(|v| matches!(v, Value::Int(_) | Value::Float(_)))?.number();
    Ok(degrees(lon).zip(degrees(lat)))
}

enum GeometryKey {
    Type,
    Coordinates,
    Lon,
    Lat,
    Other,
}

impl<'de> serde::Deserialize<'de> for GeometryKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = GeometryKey;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<GeometryKey, E> {
                Ok(match key {
                    "type" => GeometryKey::Type,
                    "coordinates" => GeometryKey::Coordinates,
                    "lon" | "lng" | "longitude" => GeometryKey::Lon,
                    "lat" | "latitude" => GeometryKey::Lat,
                    _ => GeometryKey::Other,
                })
            }
        }
        deserializer.deserialize_str(Key)
    }
}

/// Whether a geometry's `type` is a point's.
struct IsPoint;

impl<'de> DeserializeSeed<'de> for IsPoint {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let value = Item { depth: LIST_DEPTH_MAX }.deserialize(deserializer)?;
        Ok(matches!(value, Some(Value::Text(text)) if text.as_str() == "Point"))
    }
}

/// The `coordinates` of a geometry.
struct Coordinates;

impl<'de> DeserializeSeed<'de> for Coordinates {
    type Value = Option<(f64, f64)>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let value = Item { depth: LIST_DEPTH_MAX - 1 }.deserialize(deserializer)?;
        let Some(Value::List(list)) = value else { return Ok(None) };
        Ok(match &list[..] {
            [lon @ (Value::Int(_) | Value::Float(_)), lat @ (Value::Int(_) | Value::Float(_)), ..] => {
                lon.number().zip(lat.number())
            }
            _ => None,
        })
    }
}

/// A value in a list; `None` for objects and what is too deep.
struct Item {
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Item {
    type Value = Option<Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Some(Value::Null))
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Bool(value)))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Int(value)))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int)))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::text(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        if self.depth >= LIST_DEPTH_MAX {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        }
        let (mut list, mut whole) = (Vec::new(), true);
        while let Some(item) = seq.next_element_seed(Item { depth: self.depth + 1 })? {
            whole &= item.is_some();
            list.extend(item);
        }
        Ok(whole.then(|| Value::List(list.into())))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
