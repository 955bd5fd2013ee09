//! Where to go on after a mistake, so that one mistake is one diagnostic and the next one is found too.

use super::{
    clause::{clause_for_sure, clause_here},
    input::{Mistake, Tokens},
    token::{Kind, Sign},
};

/// Where to go on.
pub(super) enum Resume<'a> {
    /// At the next entry of the list.
    Entry(Tokens<'a>),
    /// At the next clause, or the end.
    Clause(Tokens<'a>),
}

/// Reports a mistake; gives the place where it happened.
pub(super) fn report(i: Tokens<'_>, mistake: Mistake) -> Tokens<'_> {
    let place = i.at_index(mistake.at);
    match mistake.diagnostic {
        Some(diagnostic) => place.report(*diagnostic),
        None => place.report(place.surprise("something else")),
    }
    place
}

/// The next clause after a mistake in one that began at `start`; always past `start`.
pub(super) fn next_clause<'a>(start: Tokens<'a>, mistake: Mistake) -> Tokens<'a> {
    let mut i = report(start, mistake);
    if i.index() <= start.index() {
        i = start.next();
    }
    while !i.is_end() && !is_clause(i) {
        i = i.next();
    }
    i
}

/// After a mistake in a definition that began at `start`: the next `, name AS`, `name AS`, a comma outside of
/// parentheses, or the next clause.
pub(super) fn next_definition<'a>(start: Tokens<'a>, mistake: Mistake) -> Resume<'a> {
    let mut i = report(start, mistake);
    if i.index() == start.index() && !is_clause(i) && !i.is_end() {
        i = i.next();
    }
    let mut depth = depth_between(start, i);
    loop {
        if i.is_end() || is_clause(i) {
            return Resume::Clause(i);
        }
        if is_definition(i) && i.index() > start.index() {
            return Resume::Entry(i);
        }
        match i.peek().kind {
            Kind::Sign(Sign::Open) => depth += 1,
            Kind::Sign(Sign::Close) => depth -= 1,
            Kind::Sign(Sign::Comma) if depth <= 0 => return Resume::Entry(i.next()),
            _ => {}
        }
        i = i.next();
    }
}

/// After a mistake in an entry of `MEASURES` that began at `start`: past the comma that ends the entry, or the next
/// clause. A comma ends the entry outside of parentheses, and after `AS name` even if a parenthesis was never closed.
pub(super) fn next_measure<'a>(start: Tokens<'a>, mistake: Mistake) -> Resume<'a> {
    let place = report(start, mistake);
    let mut depth = 0_i32;
    let mut i = start;
    loop {
        // Inside of the part that was read, `FILTER (WHERE` is no clause.
        if i.is_end() || (i.index() >= place.index() && is_clause(i)) {
            return Resume::Clause(i);
        }
        match i.peek().kind {
            Kind::Sign(Sign::Open) => depth += 1,
            Kind::Sign(Sign::Close) => depth -= 1,
            Kind::Sign(Sign::Comma) if i.index() >= place.index() && (depth <= 0 || follows_name(i)) => {
                return Resume::Entry(i.next());
            }
            _ => {}
        }
        i = i.next();
    }
}

/// How many parentheses are open at `end` that were not at `start`.
fn depth_between<'a>(start: Tokens<'a>, end: Tokens<'a>) -> i32 {
    let mut depth = 0;
    for at in start.index()..end.index() {
        match start.at_index(at).peek().kind {
            Kind::Sign(Sign::Open) => depth += 1,
            Kind::Sign(Sign::Close) => depth -= 1,
            _ => {}
        }
    }
    depth
}

/// Whether a definition begins here.
pub(super) fn is_definition(i: Tokens<'_>) -> bool {
    let name = |n| matches!(i.ahead(n).kind, Kind::Word | Kind::Quoted);
    name(0)
        && clause_for_sure(i).is_none()
        && (i.ahead(1).is_word("AS") || (i.ahead(1).is_word("FROM") && name(2) && i.ahead(3).is_word("AS")))
}

/// Whether `AS name` stands before this place.
fn follows_name(i: Tokens<'_>) -> bool {
    i.index() >= 2 && i.at_index(i.index() - 2).is_word("AS")
}

/// Whether a clause begins here, as far as that can be told in text that has a mistake.
fn is_clause(i: Tokens<'_>) -> bool {
    let Some(before) = i.before() else { return clause_here(i).is_some() };
    // A field of that name, `FILTER (WHERE`, `name FROM stream AS`, and a step's bound inside the pattern.
    if before.is_sign(Sign::Dot) || before.is_word("AS") || (i.is_word("WHERE") && before.is_sign(Sign::Open)) {
        return false;
    }
    if i.is_word("FROM") && i.ahead(2).is_word("AS") {
        return false;
    }
    if i.is_word("WITHIN") {
        let mut after = i.next();
        while matches!(after.peek().kind, Kind::Int | Kind::Float)
            || (after.peek().kind == Kind::Word && after.index() == i.index() + 2)
        {
            after = after.next();
        }
        let step = matches!(after.peek().kind, Kind::Sign(Sign::Arrow | Sign::ArrowAny | Sign::Close | Sign::DotDot))
            || after.is_word("OF");
        return !step;
    }
    if clause_for_sure(i).is_some() {
        return true;
    }
    // A soft word counts where an operand has just ended.
    let ended = matches!(
        before.kind,
        Kind::Word | Kind::Quoted | Kind::Int | Kind::Float | Kind::Text | Kind::Sign(Sign::Close)
    );
    ended && !i.ahead(1).is_sign(Sign::Open) && !i.ahead(1).is_sign(Sign::Dot) && clause_here(i).is_some()
}
