//! Pictures of the regions that a replay's rules found: `--svg DIR`.

use crate::{
    engine::{Engine, Output},
    model::{Key, Value},
    picture::{Backdrop, History, Map, Notice, Panel, RegionShape, lineage, page, panels},
    plan::{Body, Plan, RegionField, Role, Rule, RuleKind},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_64;

/// Pixels of a frame at most.
const FRAME: (f64, f64) = (760.0, 620.0);

/// Where pictures go, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SvgOptions {
    /// The directory; made if it isn't there.
    pub dir: PathBuf,
    /// At most so many frames of a rule: of its first ticks.
    pub frames_max: usize,
}

/// What all rules with regions have said so far.
pub(super) struct Gallery {
    options: SvgOptions,
    rules: Vec<Drawn>,
    tellers: Vec<Teller>,
    seen: Vec<Output>,
}

/// An alert over regions, directly or through other rules.
struct Teller {
    rule: u32,
    name: String,
    /// Where its outputs name the region, if they do.
    region: Option<usize>,
    /// Whose regions, by place, with where its outputs have the components of their key; none: they don't.
    of: Vec<(usize, Option<Vec<usize>>)>,
}

/// A rule with regions.
struct Drawn {
    rule: u32,
    /// By [`RegionField`]: the slot where it is put out.
    slots: Vec<Option<usize>>,
    /// Whether it has regions per key.
    has_key: bool,
    history: History,
}

impl Gallery {
    /// A gallery of the rules of a plan that have regions; their boundaries are put out from now on, whether rules read them or not.
    ///
    /// # Errors
    /// No rule has regions, or the directory can't be made.
    pub(super) fn new(plan: &mut Plan, options: SvgOptions) -> Result<Self, String> {
        let mut rules = Vec::new();
        for (rule, number) in plan.rules.iter_mut().zip(0..) {
            let Body::Cluster(cluster) = &mut rule.body else { continue };
            cluster.unread.clear();
            rules.push(Drawn {
                rule: number,
                slots: slots(rule),
                has_key: !rule.key.is_empty(),
                history: History::new(&rule.name, options.frames_max.max(1)),
            });
        }
        if rules.is_empty() {
            return Err("`--svg` draws regions, and no rule has a `CLUSTER BY`".to_owned());
        }
        fs::create_dir_all(&options.dir).map_err(|error| cannot(&options.dir, &error))?;
        let tellers = tellers(plan, &rules);
        Ok(Self { options, rules, tellers, seen: Vec::new() })
    }

    /// Tells the core what to keep for the pictures.
    pub(super) fn watch(&self, engine: &mut Engine) {
        let tellers = self.tellers.iter().map(|teller| teller.rule);
        self.rules.iter().map(|drawn| drawn.rule).chain(tellers).for_each(|rule| engine.watch(rule));
    }

    /// Takes what the core kept.
    pub(super) fn take(&mut self, engine: &mut Engine) {
        engine.take_seen(&mut self.seen);
        for output in self.seen.drain(..) {
            if let Some(drawn) = self.rules.iter_mut().find(|drawn| drawn.rule == output.rule) {
                drawn.add(&output);
            }
            if let Some(teller) = self.tellers.iter().find(|teller| teller.rule == output.rule) {
                teller.tell(&output, &mut self.rules);
            }
        }
    }

    /// Writes all files; what was drawn, in a line for people.
    ///
    /// # Errors
    /// A file that can't be written.
    pub(super) fn write(&self) -> Result<String, String> {
        let mut listed = Vec::new();
        let mut notes = Vec::new();
        let mut files = 0;
        for drawn in &self.rules {
            let history = &drawn.history;
            let name = file_name(&history.title);
            let mut frames = Vec::new();
            if !history.is_empty() {
                let map = Map::around(history.shapes().flat_map(|shape| &shape.polygons), FRAME.0, FRAME.1);
                for (number, scene) in history.scenes().iter().enumerate() {
                    let notices = history.notices_at(number);
                    let panel = Panel { caption: None, scene, marks: Vec::new(), notices };
                    let text = panels(&history.title, &map, &Backdrop::default(), 1, &[panel]);
                    frames.push(self.file(&format!("{name}-{number:03}.svg"), &text)?);
                }
                let strip = self.file(&format!("{name}-lineage.svg"), &lineage(history))?;
                files += frames.len() + 1;
                listed.push((history.title.clone(), Some(strip), frames));
            } else {
                notes.push(format!("{} had no regions.", history.title));
            }
            if history.left_out() > 0 {
                let (title, left_out) = (&history.title, history.left_out());
                notes.push(format!("{title}: {left_out} more ticks aren't drawn; `--svg-max` says how many may be."));
            }
        }
        self.file("index.html", &page(&listed, &notes))?;
        let mut text = format!("{files} pictures of regions in {}", self.options.dir.join("index.html").display());
        for note in notes {
            text.push_str("; ");
            text.push_str(note.trim_end_matches('.'));
        }
        text.push('\n');
        Ok(text)
    }

    fn file(&self, name: &str, text: &str) -> Result<String, String> {
        let path = self.options.dir.join(name);
        fs::write(&path, text).map_err(|error| cannot(&path, &error))?;
        Ok(name.to_owned())
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> String {
    format!("can't write `{}`: {error}", path.display())
}

/// A rule's name as part of a file's: what isn't a letter or digit becomes `_`.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// Where a rule puts out what is known of a region. Measures may have taken a field's name for something else.
fn slots(rule: &Rule) -> Vec<Option<usize>> {
    let is = |field: &RegionField| {
        rule.outputs.iter().position(|output| {
            output.name == field.name()
                && output.ty == field.ty()
                && (output.role == Role::Key) == (*field == RegionField::Region)
        })
    };
    RegionField::ALL.iter().map(is).collect()
}

/// The alerts over the regions of these rules: by what they read, and what that reads.
fn tellers(plan: &Plan, rules: &[Drawn]) -> Vec<Teller> {
    let drawn = |number: u32| rules.iter().position(|drawn| drawn.rule == number);
    let mut regions_of: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); plan.rules.len()];
    // A rule comes after those that it reads, but for circles.
    loop {
        let before = regions_of.clone();
        for (number, rule) in (0..).zip(&plan.rules) {
            let origins = rule.inputs.iter().filter_map(|input| regions_of.get(plan.maker(input.stream)?));
            let of = drawn(number).map_or_else(|| origins.flatten().copied().collect(), |own| [own].into());
            if let Some(place) = regions_of.get_mut(number as usize) {
                *place = of;
            }
        }
        if regions_of == before {
            break;
        }
    }
    let mut tellers = Vec::new();
    for ((number, rule), of) in (0..).zip(&plan.rules).zip(regions_of) {
        if drawn(number).is_some() {
            continue;
        }
        if rule.kind == RuleKind::Alert && !of.is_empty() {
            let key = |name: &str| rule.outputs.iter().position(|it| it.role == Role::Key && it.name == name);
            let key_of = |drawn: &Drawn| {
                let parts = plan.rules.get(drawn.rule as usize)?.key.iter();
                parts.map(|part| key(&part.name)).collect()
            };
            tellers.push(Teller {
                rule: number,
                name: rule.name.clone(),
                region: key(RegionField::Region.name()),
                of: of.iter().map(|&at| (at, rules.get(at).and_then(key_of))).collect(),
            });
        }
    }
    tellers
}

impl Teller {
    fn tell(&self, output: &Output, rules: &mut [Drawn]) {
        let value = |slot: usize| output.emission.values.get(slot).unwrap_or(&Value::Null);
        for (at, key) in &self.of {
            let Some(drawn) = rules.get_mut(*at) else { continue };
            let key = key.as_ref().map(|slots| Key::new(slots.iter().map(|slot| value(*slot))));
            let region = match (self.region.map(value), key) {
                (Some(Value::Text(id)), Some(key)) => Some(format!("{}{}", drawn.prefix(&key), id.as_str())),
                _ => None,
            };
            drawn.history.tell(Notice { at_ms: output.emission.time_ms, region, text: self.name.clone() });
        }
    }
}

impl Drawn {
    /// Ids are those of a key's regions: two keys may have the same.
    fn prefix(&self, key: &Key) -> String {
        if self.has_key { format!("{:08x}/", xxh3_64(key.as_bytes()) >> 32) } else { String::new() }
    }

    fn add(&mut self, output: &Output) {
        let value = |field: RegionField| {
            let at = RegionField::ALL.iter().position(|other| *other == field)?;
            output.emission.values.get(self.slots.get(at).copied().flatten()?)
        };
        let key = self.prefix(&output.key);
        let id = |value: &Value| match value {
            Value::Text(text) => Some(format!("{key}{}", text.as_str())),
            _ => None,
        };
        let Some(region) = value(RegionField::Region).and_then(id) else { return };
        let polygons = match value(RegionField::Boundary) {
            Some(Value::Geometry(polygons)) => Some(polygons.as_slice().to_vec()),
            _ => None,
        };
        let transition = match value(RegionField::Transition) {
            Some(Value::Text(text)) => text.as_str().to_owned(),
            _ => String::new(),
        };
        let flags =
            [RegionField::Grew, RegionField::Shrank, RegionField::Moved, RegionField::Denser, RegionField::Sparser];
        let is_set = |field: &RegionField| value(*field) == Some(&Value::Bool(true));
        let shape = RegionShape {
            tick_ms: output.emission.time_ms,
            flags: flags.iter().filter(|field| is_set(field)).map(|field| field.name().to_owned()).collect(),
            size: match value(RegionField::Size) {
                Some(Value::Int(size)) => usize::try_from(*size).unwrap_or(0),
                _ => 0,
            },
            centre: match value(RegionField::Position) {
                Some(Value::Point(at)) => Some([at.lon(), at.lat()]),
                _ => None,
            },
            parents: match value(RegionField::Parents) {
                Some(Value::List(parents)) => parents.iter().filter_map(id).collect(),
                _ => Vec::new(),
            },
            absorbed_into: value(RegionField::AbsorbedInto).and_then(id),
            // One that ended has no boundary any more: it is drawn as it was.
            has_ended: polygons.is_none(),
            polygons: polygons.unwrap_or_else(|| self.history.last_polygons(&region)),
            transition,
            id: region,
        };
        self.history.add(shape);
    }
}
