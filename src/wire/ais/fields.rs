//! What events of AIS have: fields with fixed names, types and units, so that a source of AIS needs no schema.

use crate::{
    model::Unit,
    wire::record::{FieldKind, TimeUnit},
};

/// Which messages become events; the others are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AisMessages {
    /// Those that say where somebody is: 1 to 4, 9, 11, 18, 19, 21, 27.
    Positions,
    /// Those that say who somebody is: 5, 19, 24. They have no position.
    Static,
}

impl AisMessages {
    /// What their events have, in the order of the documentation.
    pub fn fields(self) -> impl Iterator<Item = (&'static str, FieldKind)> {
        AisField::ALL
            .iter()
            .filter(move |field| field.2 == None || field.2 == Some(self))
            .map(|field| (field.1, field.3))
    }

    /// Whether a message of this type is one of them.
    pub(super) fn has(self, message: u32) -> bool {
        match self {
            Self::Positions => matches!(message, 1..=4 | 9 | 11 | 18 | 19 | 21 | 27),
            Self::Static => matches!(message, 5 | 19 | 24),
        }
    }
}

/// A field of an AIS event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it; the documentation of the configuration has a table")]
pub enum AisField {
    Ts,
    Mmsi,
    Message,
    Own,
    Channel,
    Station,
    Name,
    Lon,
    Lat,
    Sog,
    Cog,
    Heading,
    Rot,
    Status,
    Second,
    Accurate,
    Altitude,
    AidType,
    Imo,
    Callsign,
    ShipType,
    Length,
    Beam,
    Draught,
    Destination,
    Eta,
}

/// The field, its name, which messages have it (none: all), its kind.
type Row = (AisField, &'static str, Option<AisMessages>, FieldKind);

impl AisField {
    /// Every field.
    pub(super) const ALL: &'static [Row] = {
        use AisField::*;
        use AisMessages::{Positions, Static};
        const METRES: FieldKind = FieldKind::Float(Some(Unit::Metre));
        const DEGREES: FieldKind = FieldKind::Float(Some(Unit::Degree));
        &[
            (Ts, "ts", None, FieldKind::Time(TimeUnit::Auto)),
            (Mmsi, "mmsi", None, FieldKind::Int),
            (Message, "message", None, FieldKind::Int),
            (Own, "own", None, FieldKind::Bool),
            (Channel, "channel", None, FieldKind::Text),
            (Station, "station", None, FieldKind::Text),
            (Name, "name", None, FieldKind::Text),
            (Lon, "lon", Some(Positions), FieldKind::Float(None)),
            (Lat, "lat", Some(Positions), FieldKind::Float(None)),
            (Sog, "sog", Some(Positions), FieldKind::Float(Some(Unit::Knot))),
            (Cog, "cog", Some(Positions), DEGREES),
            (Heading, "heading", Some(Positions), DEGREES),
            (Rot, "rot", Some(Positions), FieldKind::Float(Some(Unit::DegreePerSecond))),
            (Status, "status", Some(Positions), FieldKind::Int),
            (Second, "second", Some(Positions), FieldKind::Int),
            (Accurate, "accurate", Some(Positions), FieldKind::Bool),
            (Altitude, "altitude", Some(Positions), METRES),
            (AidType, "aid_type", Some(Positions), FieldKind::Int),
            (Imo, "imo", Some(Static), FieldKind::Int),
            (Callsign, "callsign", Some(Static), FieldKind::Text),
            (ShipType, "ship_type", Some(Static), FieldKind::Int),
            (Length, "length", Some(Static), METRES),
            (Beam, "beam", Some(Static), METRES),
            (Draught, "draught", Some(Static), METRES),
            (Destination, "destination", Some(Static), FieldKind::Text),
            (Eta, "eta", Some(Static), FieldKind::Text),
        ]
    };

    /// The field with this name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}
