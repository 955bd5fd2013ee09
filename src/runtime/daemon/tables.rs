//! Reference tables while the daemon runs: a thread looks whether their files changed and reads those that did; the driver takes
//! what it read at a moment of its own.
//!
//! All or nothing: a file that is wrong leaves the table as it was, and that is said once for each state of the file.

use crate::{
    expr::{Table, World},
    runtime::{
        config::TableConfig,
        project::Project,
        tables::{LoadedTable, Stamp, reload_table, stamp},
    },
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

/// How often the thread looks up from its sleep.
const STEP: Duration = Duration::from_millis(100);
/// A file that was changed is read once it has been left alone for so long.
const SETTLED: Duration = Duration::from_millis(300);

/// What the thread read: the table's place in the world, and its new content.
type Read = (usize, LoadedTable);

/// The driver's end.
pub(super) struct Tables {
    world: Arc<World>,
    read: Option<Receiver<Read>>,
    over: Arc<AtomicBool>,
}

impl Drop for Tables {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Tables {
    /// Begins to watch the tables that rules look up. Without one that is to be reloaded there is no thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn watch(project: &Project) -> io::Result<Self> {
        let (world, over) = (Arc::clone(&project.world), Arc::new(AtomicBool::new(false)));
        let watched = world.tables().iter().enumerate().filter_map(|(at, (name, table))| {
            let config = project.config.tables.get(name)?;
            let every = Duration::from_millis(u64::try_from(config.reload_ms?).ok()?);
            let known = project.table_stamps.get(name).copied();
            let (name, config, table) = (name.clone(), config.clone(), Arc::clone(table));
            Some(Watched { at, name, config, table, known, every, left: every })
        });
        let watched: Vec<Watched> = watched.collect();
        if watched.is_empty() {
            return Ok(Self { world, read: None, over });
        }
        let (to, read) = channel();
        thread::Builder::new().name("tables".to_owned()).spawn({
            let over = Arc::clone(&over);
            move || look(watched, &to, &over)
        })?;
        Ok(Self { world, read: Some(read), over })
    }

    /// The world with the tables that were read since it was last asked; none where nothing changed.
    pub(super) fn changed(&mut self) -> Option<Arc<World>> {
        let read: Vec<Read> = self.read.as_ref()?.try_iter().collect();
        if read.is_empty() {
            return None;
        }
        let mut tables = self.world.tables().to_vec();
        for (at, loaded) in read {
            if let Some((name, table)) = tables.get_mut(at) {
                tracing::info!(
                    table = name.as_str(),
                    rows = loaded.table.len(),
                    "the table was changed and read again"
                );
                *table = loaded.table;
            }
        }
        self.world = Arc::new(World::clone(&self.world).with_tables(tables));
        Some(Arc::clone(&self.world))
    }
}

struct Watched {
    at: usize,
    name: String,
    config: TableConfig,
    table: Arc<Table>,
    known: Option<Stamp>,
    every: Duration,
    /// Until the next look.
    left: Duration,
}

fn look(mut all: Vec<Watched>, to: &Sender<Read>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        thread::sleep(STEP);
        for watched in &mut all {
            watched.left = watched.left.saturating_sub(STEP);
            if !watched.left.is_zero() {
                continue;
            }
            watched.left = watched.every;
            let Some(loaded) = watched.read() else { continue };
            if to.send((watched.at, loaded)).is_err() {
                // Nobody listens any more: the run is over.
                return;
            }
        }
    }
}

impl Watched {
    /// The table, if its file changed and is right.
    fn read(&mut self) -> Option<LoadedTable> {
        let mut now = stamp(&self.config);
        if now == self.known {
            return None;
        }
        // Somebody may still be writing.
        while now.is_some() {
            thread::sleep(SETTLED);
            let later = stamp(&self.config);
            if later == now {
                break;
            }
            now = later;
        }
        match reload_table(&self.name, &self.config, &self.table) {
            Ok(loaded) => {
                self.known = loaded.stamp;
                self.table = Arc::clone(&loaded.table);
                Some(loaded)
            }
            Err(error) => {
                self.known = now;
                tracing::warn!(
                    table = self.name.as_str(),
                    "the changed file is not used, the table stays as it was: {error}"
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Key, Value},
        runtime::project::{Loaded, Request},
    };
    use std::{collections::BTreeMap, fs};

    const RULES: &str = "groups:
  - name: g
    rules:
      - alert: A
        expr: FROM pings LOOKUP levels ON levels.id = pings.id MEASURES levels.level AS level
";

    /// The table's only value in the world that is told next, if one is within a few seconds.
    fn next(tables: &mut Tables) -> Option<Value> {
        for _ in 0..500 {
            if let Some(world) = tables.changed() {
                let table = world.table(0)?;
                return table.find(&Key::new(&[Value::text("a")]), 0).and_then(|row| table.value(row, 1).cloned());
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_wrong_one_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (file, config) = (dir.path().join("t.csv"), dir.path().join("geocep.yaml"));
        let rules = dir.path().join("rules.yaml");
        fs::write(&file, "id,level\na,1\n").unwrap();
        fs::write(&rules, RULES).unwrap();
        let text = "sources: { pings: { file: p.ndjson, schema: { position: none, fields: { id: string } } } }\n\
                    tables: { levels: { path: t.csv, key: id, reload: 50 ms } }\n";
        fs::write(&config, text).unwrap();
        let request = Request { config: Some(config), rules: vec![rules], ..Request::default() };
        let project = Loaded::read(&request).unwrap().check(&BTreeMap::new(), false).unwrap();
        let mut tables = Tables::watch(&project).unwrap();
        thread::sleep(Duration::from_millis(300));
        assert!(tables.changed().is_none(), "nothing changed");
        fs::write(&file, "id,level\na,2\nb,9\n").unwrap();
        assert_eq!(next(&mut tables), Some(Value::Int(2)));
        fs::write(&file, "id,level\na,3\na,4\n").unwrap();
        thread::sleep(Duration::from_millis(800));
        assert!(tables.changed().is_none(), "the wrong file is not used");
        fs::write(&file, "id,level\na,5\nb,6\nc,7\n").unwrap();
        assert_eq!(next(&mut tables), Some(Value::Int(5)));
    }
}
