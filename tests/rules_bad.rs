//! Every file in `fixtures/rules-bad` gets exactly the diagnostics that stand beside it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::type_complexity,
    reason = "a test fails by panicking, and says why it skips"
)]

use geocep::{
    lang::{
        check::{Catalog, FenceSetInfo, TableInfo, check},
        diag::{FileDiagnostic, Style, render},
        file::RuleFile,
    },
    model::{Field, Schema, Type, Unit},
};
use std::{fs, path::PathBuf};

fn catalog() -> Catalog {
    let km_h = Type::Quantity(Unit::KilometrePerHour);
    let source = |name: &str, fields: &[(&str, Type)]| {
        let fields: Vec<Field> = fields.iter().map(|(name, ty)| Field { name: (*name).to_owned(), ty: *ty }).collect();
        let position = fields.iter().position(|field| field.ty == Type::Point).map(|at| at as u16);
        (name.to_owned(), Schema { fields, position, id: None, open: false })
    };
    let set = |name: &str, properties: &[(&str, Type)]| FenceSetInfo {
        name: name.to_owned(),
        properties: properties.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect(),
        open: false,
    };
    Catalog {
        sources: vec![
            source(
                "pings",
                &[
                    ("vehicle", Type::Text),
                    ("position", Type::Point),
                    ("speed", km_h),
                    ("course", Type::Quantity(Unit::Degree)),
                    ("status", Type::Text),
                    ("fuel", Type::Float),
                    ("seq", Type::Int),
                    ("sent", Type::Time),
                ],
            ),
            source("orders", &[("order_id", Type::Text), ("position", Type::Point), ("price", Type::Float)]),
            source("sensors", &[("vehicle", Type::Text), ("speed", Type::Text), ("value", Type::Float)]),
        ],
        fence_sets: Some(vec![
            set("airports", &[("name", Type::Text), ("speed_limit", km_h)]),
            set("ports", &[("name", Type::Text)]),
        ]),
        tables: Some(tables()),
        ..Catalog::default()
    }
}

fn tables() -> Vec<TableInfo> {
    let table = |name: &str, key: &[&str], columns: &[(&str, Type)]| TableInfo {
        name: name.to_owned(),
        columns: columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect(),
        key: key.iter().map(|&name| name.to_owned()).collect(),
    };
    vec![
        table("vehicles", &["id"], &[("id", Type::Text), ("capacity", Type::Int), ("depot", Type::Point)]),
        table("tariffs", &["zone", "class"], &[("zone", Type::Text), ("class", Type::Int), ("fee", Type::Float)]),
    ]
}

/// Everything that is said of a file.
fn said_of(name: &str, text: &str) -> String {
    let (file, mut said) = RuleFile::parse(name, text);
    if let Some(file) = file {
        let checked = check(&[file], &catalog());
        let stopped = said.iter().any(FileDiagnostic::is_error)
            || checked.diagnostics.iter().any(|finding| finding.diagnostic.is_error());
        assert!(stopped || checked.plan.is_some(), "{name}: no plan, and no reason");
        assert!(
            !stopped || checked.plan.is_none() || said.iter().any(FileDiagnostic::is_error),
            "{name}: a plan in spite of errors"
        );
        said.extend(checked.diagnostics.into_iter().map(|finding| finding.diagnostic));
    }
    assert!(!said.is_empty(), "{name}: nothing is wrong with it");
    let rendered: Vec<String> = said.iter().map(|diagnostic| render(diagnostic, name, text, Style::Plain)).collect();
    rendered.join("\n\n") + "\n"
}

#[test]
fn bad_rule_files_are_told_what_is_wrong_and_where() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules-bad");
    let update = std::env::var_os("GEOCEP_UPDATE").is_some();
    let mut files: Vec<PathBuf> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 40, "{} files are too few to be all", files.len());
    let mut different = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let said = said_of(&name, &fs::read_to_string(&path).unwrap());
        let golden = path.with_extension("stderr");
        if update {
            fs::write(&golden, &said).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != said {
            different.push(format!("{name} gives\n{said}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
