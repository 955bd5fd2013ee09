//! What a message says (ITU-R M.1371-5, annex 8). What a sender says that it doesn't know is missing.

use super::{bits::Bits, fields::AisField};
use crate::{
    model::{Reject, RejectReason},
    wire::layout::Raw,
};

/// The bits of a message, and its type, which says where things are.
pub(super) struct Message<'a> {
    bits: &'a Bits,
    /// 1 to 27.
    pub(super) kind: u32,
}

/// Where things are: from and to, in bits.
type Span = (usize, usize);

/// The scale of a position: parts of a degree.
const FINE: f64 = 600_000.0;
const COARSE: f64 = 600.0;

impl<'a> Message<'a> {
    /// A message of these bits.
    ///
    /// # Errors
    /// It is no message, or ends before what all messages of its type have.
    pub(super) fn new(bits: &'a Bits) -> Result<Self, Reject> {
        let wrong = |detail: String| Err(Reject::new(RejectReason::Syntax, detail));
        let kind = match bits.number(0, 6) {
            Some(kind @ 1..=27) => kind,
            Some(kind) => return wrong(format!("a message of type {kind}, and there are 1 to 27")),
            None => return wrong("the message is empty".to_owned()),
        };
        // Up to the last thing that is read of it; some senders leave out what is spare.
        let least = match kind {
            1..=3 => 143,
            4 | 11 => 134,
            5 => 302,
            9 => 134,
            18 => 139,
            19 => 263,
            21 => 219,
            24 => 160,
            27 => 94,
            _ => 38,
        };
        // Part B of message 24 is as long as part A in spite of less in it; some leave out its last bits.
        let least = if kind == 24 && bits.number(38, 40) == Some(1) { 90 } else { least };
        if bits.len() < least {
            return wrong(format!("a message of type {kind} with {} bits, expected {least} at least", bits.len()));
        }
        Ok(Self { bits, kind })
    }

    /// A field of the message itself; what is known from the sentence isn't looked for.
    pub(super) fn get(&self, field: AisField) -> Raw {
        self.find(field).unwrap_or_default()
    }

    fn find(&self, field: AisField) -> Option<Raw> {
        use AisField::*;
        let kind = self.kind;
        match field {
            Mmsi => self.int((8, 38)),
            Message => Some(Raw::Int(kind.into())),
            Lon | Lat => self.position(field),
            Sog => match kind {
                1..=3 => self.scaled((50, 60), 1_023, 10.0),
                18 | 19 => self.scaled((46, 56), 1_023, 10.0),
                9 => self.scaled((50, 60), 1_023, 1.0),
                27 => self.scaled((79, 85), 63, 1.0),
                _ => None,
            },
            Cog => match kind {
                1..=3 | 9 => self.scaled((116, 128), 3_600, 10.0),
                18 | 19 => self.scaled((112, 124), 3_600, 10.0),
                27 => self.scaled((85, 94), 511, 1.0),
                _ => None,
            }
            .filter(|found| matches!(found, Raw::Float(degrees) if *degrees < 360.0)),
            Heading => match kind {
                1..=3 => self.scaled((128, 137), 511, 1.0),
                18 | 19 => self.scaled((124, 133), 511, 1.0),
                _ => None,
            }
            .filter(|found| matches!(found, Raw::Float(degrees) if *degrees < 360.0)),
            Rot => self.rate_of_turn(),
            Status => match kind {
                1..=3 => self.known((38, 42), 15),
                27 => self.known((40, 44), 15),
                _ => None,
            },
            // 60 and more: no time, or how the position was found.
            Second => match kind {
                1..=3 => self.below((137, 143), 60),
                9 => self.below((128, 134), 60),
                18 | 19 => self.below((133, 139), 60),
                21 => self.below((253, 259), 60),
                _ => None,
            },
            Accurate => match kind {
                1..=3 | 9 => self.flag(60),
                4 | 11 => self.flag(78),
                18 | 19 => self.flag(56),
                21 => self.flag(163),
                27 => self.flag(38),
                _ => None,
            },
            Altitude if kind == 9 => self.scaled((38, 50), 4_095, 1.0),
            AidType if kind == 21 => self.known((38, 43), 0),
            Imo if kind == 5 => self.known((40, 70), 0),
            Callsign => match kind {
                5 => self.text((70, 112)),
                24 if !self.is_part_a() => self.text((90, 132)),
                _ => None,
            },
            Name => match kind {
                5 => self.text((112, 232)),
                19 => self.text((143, 263)),
                21 => self.text((43, 163)),
                24 if self.is_part_a() => self.text((40, 160)),
                _ => None,
            },
            ShipType => match kind {
                5 => self.known((232, 240), 0),
                19 => self.known((263, 271), 0),
                24 if !self.is_part_a() => self.known((40, 48), 0),
                _ => None,
            },
            Length => self.dimensions().and_then(|at| self.sum([(at, at + 9), (at + 9, at + 18)])),
            Beam => self.dimensions().and_then(|at| self.sum([(at + 18, at + 24), (at + 24, at + 30)])),
            Draught if kind == 5 => self.scaled((294, 302), 0, 10.0),
            Destination if kind == 5 => self.text((302, 422)),
            Eta if kind == 5 => self.arrival(),
            _ => None,
        }
    }

    fn int(&self, (from, to): Span) -> Option<Raw> {
        self.bits.number(from, to).map(|number| Raw::Int(number.into()))
    }

    /// A number that isn't the one that says that it isn't known.
    fn known(&self, (from, to): Span, unknown: u32) -> Option<Raw> {
        self.bits.number(from, to).filter(|number| *number != unknown).map(|number| Raw::Int(number.into()))
    }

    fn below(&self, (from, to): Span, end: u32) -> Option<Raw> {
        self.bits.number(from, to).filter(|number| *number < end).map(|number| Raw::Int(number.into()))
    }

    fn scaled(&self, (from, to): Span, unknown: u32, scale: f64) -> Option<Raw> {
        let number = self.bits.number(from, to).filter(|number| *number != unknown)?;
        Some(Raw::Float(f64::from(number) / scale))
    }

    fn flag(&self, at: usize) -> Option<Raw> {
        self.bits.flag(at).map(Raw::Bool)
    }

    fn text(&self, (from, to): Span) -> Option<Raw> {
        self.bits.text(from, to).map(|text| Raw::Text(text.as_str().into()))
    }

    fn position(&self, field: AisField) -> Option<Raw> {
        let (lon, scale) = match self.kind {
            1..=3 | 9 => (61, FINE),
            4 | 11 => (79, FINE),
            18 | 19 => (57, FINE),
            21 => (164, FINE),
            27 => (44, COARSE),
            _ => return None,
        };
        let (wide, high) = if scale == FINE { (28, 27) } else { (18, 17) };
        let (from, to, unknown) = match field {
            AisField::Lon => (lon, lon + wide, 181.0),
            _ => (lon + wide, lon + wide + high, 91.0),
        };
        let degrees = f64::from(self.bits.signed(from, to)?) / scale;
        (degrees != unknown).then_some(Raw::Float(degrees))
    }

    /// Degrees per second; the sign is that of a turn to starboard. A turn of which only the side is known is none.
    fn rate_of_turn(&self) -> Option<Raw> {
        let coded = self.bits.signed(42, 50).filter(|coded| (1..=3).contains(&self.kind) && coded.abs() < 127)?;
        let per_minute = (f64::from(coded) / 4.733).powi(2);
        Some(Raw::Float(per_minute.copysign(f64::from(coded)) / 60.0))
    }

    fn is_part_a(&self) -> bool {
        self.bits.number(38, 40) == Some(0)
    }

    /// Where the distances from the antenna to bow, stern, port and starboard are.
    fn dimensions(&self) -> Option<usize> {
        match self.kind {
            5 => Some(240),
            19 => Some(271),
            // Of an auxiliary craft its mother ship's number is there.
            24 if !self.is_part_a() && self.bits.number(8, 38)? / 10_000_000 != 98 => Some(132),
            _ => None,
        }
    }

    fn sum(&self, spans: [Span; 2]) -> Option<Raw> {
        let [one, other] = spans.map(|(from, to)| self.bits.number(from, to));
        let metres = one? + other?;
        (metres > 0).then_some(Raw::Float(metres.into()))
    }

    /// `MM-DD hh:mm`, UTC: there is no year.
    fn arrival(&self) -> Option<Raw> {
        let number = |from, to| self.bits.number(from, to);
        let (month, day, hour, minute) = (number(274, 278)?, number(278, 283)?, number(283, 288)?, number(288, 294)?);
        let known = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
        known.then(|| Raw::Text(format!("{month:02}-{day:02} {hour:02}:{minute:02}").as_str().into()))
    }
}
