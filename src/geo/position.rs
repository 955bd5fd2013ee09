//! Stub until the room lands.
/// Position, WGS 84 degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    lon: f64,
    lat: f64,
}
impl Position {
    /// Checked.
    pub fn new(lon: f64, lat: f64) -> Result<Self, ()> {
        if lon.abs() <= 180.0 && lat.abs() <= 90.0 { Ok(Self { lon, lat }) } else { Err(()) }
    }
    /// Longitude.
    pub fn lon(self) -> f64 {
        self.lon
    }
    /// Latitude.
    pub fn lat(self) -> f64 {
        self.lat
    }
}
/// Index of a fence in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FenceIx(pub u32);
/// An H3 cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(u64);
/// R
#[derive(Clone, Copy, Debug)]
pub struct Resolution(u8);
impl Resolution {
    /// n
    pub fn new(r: i64) -> Result<Self, ()> {
        if (0..16).contains(&r) { Ok(Self(r as u8)) } else { Err(()) }
    }
}
impl Cell {
    /// at
    pub fn at(_: Position, r: Resolution) -> Self {
        Cell(u64::from(r.0))
    }
    /// new
    pub fn new(n: u64) -> Result<Self, ()> {
        Ok(Self(n))
    }
    /// n
    pub fn number(self) -> u64 {
        self.0
    }
    /// parent
    pub fn parent(self, _: Resolution) -> Result<Self, ()> {
        Ok(self)
    }
}
/// d
pub fn haversine_m(_: Position, _: Position) -> f64 {
    0.0
}
/// d
pub fn geodesic_m(_: Position, _: Position) -> f64 {
    0.0
}
/// d
pub fn bearing_deg(_: Position, _: Position) -> f64 {
    0.0
}
/// P
#[derive(Debug)]
pub enum Property {
    /// n
    Null,
    /// b
    Bool(bool),
    /// i
    Int(i64),
    /// f
    Float(f64),
    /// t
    Text(String),
}
/// Fence
#[derive(Debug)]
pub struct Fence {}
impl Fence {
    /// id
    pub fn id(&self) -> &str {
        ""
    }
    /// p
    pub fn property(&self, _: &str) -> Option<&Property> {
        None
    }
}
/// set
#[derive(Debug)]
pub struct FenceSet {}
impl FenceSet {
    /// l
    pub fn locate(&self, _: Position) -> Vec<FenceIx> {
        vec![]
    }
    /// f
    pub fn fence(&self, _: FenceIx) -> Option<&Fence> {
        None
    }
}
