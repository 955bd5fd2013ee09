//! `geocep state`: looks into checkpoints.

use super::options::{fail, print};
use crate::{
    engine::{
        checkpoint::{BlockId, Position},
        saved_keys,
    },
    io::state::{Saved, StateError, checkpoints, read},
    model::format_time,
};
use clap::{Args, Subcommand};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// Arguments of `geocep state`.
#[derive(Debug, Args)]
pub(super) struct StateArgs {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Debug, Subcommand)]
enum StateCommand {
    /// Show what checkpoints hold; exit code 1 if one is corrupt
    Inspect {
        /// A directory of checkpoints, or one of its files
        #[arg(default_value = "geocep-state")]
        path: PathBuf,
    },
}

/// Shows checkpoints.
pub(super) fn run(args: &StateArgs) -> u8 {
    let StateCommand::Inspect { path } = &args.command;
    let (dir, numbers) = match of_path(path) {
        Ok(found) => found,
        Err(message) => return fail(&message, 2),
    };
    if numbers.is_empty() {
        return fail(&format!("there is no checkpoint in `{}`", path.display()), 2);
    }
    let mut corrupt = false;
    for number in numbers {
        match read(&dir, number) {
            Ok(saved) => print(&shown(&saved)),
            Err(error) => {
                corrupt = true;
                print(&format!("checkpoint {number}: can't be used\n  {error}\n"));
            }
        }
    }
    u8::from(corrupt)
}

/// The directory, and which of its checkpoints are meant, the newest first.
fn of_path(path: &Path) -> Result<(PathBuf, Vec<u64>), String> {
    if path.is_dir() {
        let numbers = checkpoints(path).map_err(|error: StateError| error.to_string())?;
        return Ok((path.to_owned(), numbers));
    }
    let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match number {
        Some(number) if path.is_file() => Ok((dir.to_owned(), vec![number])),
        _ => Err(format!("`{}` is neither a directory of checkpoints nor one of its files", path.display())),
    }
}

fn shown(saved: &Saved) -> String {
    let mut text = String::new();
    let Saved { number, manifest, bytes, head, names, places, undelivered, epochs, blocks } = saved;
    let all: u64 = manifest.blocks.values().map(|stored| stored.length).sum();
    let files: Vec<String> = manifest.files().iter().map(u64::to_string).collect();
    let _ = writeln!(text, "checkpoint {number}: valid");
    let _ = writeln!(text, "  written    {} by geocep {}", format_time(head.wall_ms), head.version);
    let _ = writeln!(text, "  size       {bytes} bytes; {all} with what stands in files {}", files.join(", "));
    let _ = writeln!(
        text,
        "  settings   seed {}, {} key groups, hash version {}",
        head.seed, head.key_groups, head.hash_version
    );
    for place in places {
        let at = match &place.position {
            None => "nothing read yet".to_owned(),
            Some(Position::Offset(offset)) => format!("next offset {offset}"),
            Some(Position::File { path, byte, line, .. }) => format!("`{path}` up to byte {byte}, line {line}"),
        };
        let ended = if place.ended { ", ended" } else { "" };
        let _ = writeln!(text, "  source     {}/{}: {at}{ended}", place.source, place.partition);
    }
    for sink in undelivered.iter().filter(|sink| !sink.lines.is_empty()) {
        let _ = writeln!(text, "  sink       {}: {} lines not acknowledged", sink.sink, sink.lines.len());
    }
    for sink in epochs {
        let lines: usize = sink.waiting.iter().map(|epoch| epoch.lines.len()).sum();
        let _ = writeln!(
            text,
            "  sink       {} exactly once as {}: epoch {}, {lines} lines not known to be committed",
            sink.sink, sink.id, sink.number
        );
    }
    for (at, rule) in (0..).zip(&names.rules) {
        let keys = saved_keys(blocks, at).unwrap_or(0);
        let groups = manifest.blocks.range(BlockId::group(at, 0)..=BlockId::group(at, u32::MAX));
        let bytes: u64 = groups.map(|(_, stored)| stored.length).sum();
        let _ = writeln!(text, "  rule       {} {}: {keys} keys, {bytes} bytes", rule.name, rule.version);
    }
    text
}
