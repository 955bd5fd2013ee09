//! Clauses, in their fixed order.

use super::{Printer, expr::quoted};
use crate::lang::ast::{
    AtEnd, Clock, ClusterClause, Emit, EmitKind, Expr, JitterKind, JoinClause, JoinKind, LatestClause, NearClause,
    Operator, Overlap, Quantity, Query, Source, WindowClause, WindowKind,
};
use crate::lang::span::Spanned;

impl Printer {
    pub(super) fn query(&mut self, query: &Query) {
        self.reading(query);
        self.optional("WHERE", query.where_.as_ref(), Self::expr);
        if !query.partition_by.is_empty() {
            self.put("PARTITION BY");
            self.list(&query.partition_by, |out, part| {
                out.expr(&part.expr);
                out.optional("AS", part.name.as_ref(), Self::name);
                out.optional("FOLLOW", part.follow.as_ref(), Self::name);
            });
        }
        if !query.order_by.is_empty() {
            self.put("ORDER BY");
            self.list(&query.order_by, Self::expr);
        }
        match &query.operator {
            Some(Operator::Pattern(clause)) => self.pattern(clause),
            Some(Operator::Window(clause)) => self.window(clause),
            Some(Operator::Cluster(clause)) => self.cluster(clause),
            Some(Operator::Latest(clause)) => self.latest(clause),
            None => {}
        }
        if !query.measures.is_empty() {
            self.put("MEASURES");
            self.list(&query.measures, |out, measure| {
                out.expr(&measure.expr);
                out.put("AS");
                out.name(&measure.name);
            });
        }
        if let Some(Operator::Pattern(clause)) = &query.operator {
            self.after_measures(clause);
        }
        self.results(query);
    }

    /// What is read: `FROM` to `INTERPOLATE`.
    fn reading(&mut self, query: &Query) {
        self.put("FROM");
        self.list(&query.from, Self::source);
        if let Some(clause) = &query.through {
            self.put("THROUGH");
            self.list(&clause.sets, Self::name);
            if let Some(buffer) = &clause.buffer {
                self.put("BUFFER");
                self.quantity(buffer);
            }
            if let Some(count) = &clause.at_least {
                self.put(&format!("AT LEAST {} EVENTS", count.value));
            }
            if let Some(enters) = clause.first_enters {
                self.put(if enters { "FIRST ENTERS" } else { "FIRST IGNORED" });
            }
        }
        if let Some(clause) = &query.near {
            self.near(clause);
        }
        for clause in &query.joins {
            self.join(clause);
        }
        for clause in &query.lookups {
            self.put("LOOKUP");
            self.source(&clause.table);
            self.put("ON");
            self.expr(&clause.on);
        }
        if let Some(clause) = &query.unnest {
            self.put("UNNEST");
            self.expr(&clause.list);
            self.optional("AS", clause.name.as_ref(), Self::name);
        }
        if let Some(clause) = &query.interpolate {
            self.put("INTERPOLATE");
            self.optional("MAX GAP", clause.max_gap.as_ref(), Self::quantity);
        }
    }

    /// What becomes of results: `HAVING` to the end.
    fn results(&mut self, query: &Query) {
        self.optional("HAVING", query.having.as_ref(), Self::expr);
        if let Some(emit) = &query.emit {
            self.emit(emit);
        }
        if let Some(once) = &query.once {
            self.put("ONCE");
            self.optional("EVERY", once.every.as_ref(), Self::quantity);
        }
        self.optional("ALLOWED LATENESS", query.allowed_lateness.as_ref(), Self::quantity);
        match query.clock.map(|c| c.value) {
            Some(Clock::Event) => self.put("CLOCK EVENT"),
            Some(Clock::EventOrWall) => self.put("CLOCK EVENT OR WALL"),
            Some(Clock::Wall) => self.put("CLOCK WALL"),
            None => {}
        }
        match query.at_end.map(|a| a.value) {
            Some(AtEnd::Fire) => self.put("AT END FIRE"),
            Some(AtEnd::Drop) => self.put("AT END DROP"),
            None => {}
        }
        self.optional("FEEDBACK", query.feedback.as_ref(), Self::count);
    }

    fn optional<T>(&mut self, words: &str, value: Option<&T>, print: impl FnOnce(&mut Self, &T)) {
        if let Some(value) = value {
            self.put(words);
            print(self, value);
        }
    }

    fn count(&mut self, count: &Spanned<u64>) {
        self.put(&count.value.to_string());
    }

    fn source(&mut self, source: &Source) {
        self.name(&source.stream);
        self.optional("AS", source.alias.as_ref(), Self::name);
    }

    fn near(&mut self, clause: &NearClause) {
        self.put("NEAR");
        self.source(&clause.source);
        self.put("WITHIN");
        self.quantity(&clause.distance);
        self.optional("AND", clause.time.as_ref(), Self::quantity);
        self.optional("LEAVE AT", clause.leave_at.as_ref(), Self::quantity);
        self.optional("ON", clause.on.as_ref(), Self::expr);
        self.optional("EVERY", clause.every.as_ref(), Self::quantity);
        self.optional("MAX AGE", clause.max_age.as_ref(), Self::quantity);
    }

    fn join(&mut self, clause: &JoinClause) {
        self.put(if clause.kind == JoinKind::Left { "LEFT JOIN" } else { "JOIN" });
        self.source(&clause.source);
        self.put("ON");
        self.expr(&clause.on);
        if let Some(bounds) = &clause.within {
            self.put("WITHIN");
            self.quantity(&bounds.from);
            self.put("..");
            self.quantity(&bounds.to);
        }
    }

    fn window(&mut self, clause: &WindowClause) {
        self.put("WINDOW");
        let pair = |out: &mut Self, word: &str, size: &Quantity, every: &Quantity| {
            out.put(word);
            out.quantity(size);
            out.put("EVERY");
            out.quantity(every);
        };
        match &clause.kind {
            WindowKind::Tumbling { size } => {
                self.put("TUMBLING");
                self.quantity(size);
            }
            WindowKind::Sliding { size, every } => pair(self, "SLIDING", size, every),
            WindowKind::Cumulative { size, every } => pair(self, "CUMULATIVE", size, every),
            WindowKind::Session { gap, max } => {
                self.put("SESSION GAP");
                self.quantity(gap);
                self.optional("MAX", max.as_ref(), Self::quantity);
            }
            WindowKind::Count { size, every, expire } => {
                self.put("COUNT");
                self.count(size);
                self.optional("EVERY", every.as_ref(), Self::count);
                self.optional("EXPIRE", expire.as_ref(), Self::quantity);
            }
            WindowKind::Custom { name, args } => {
                // In back-ticks whatever it is: one of the built-in words would be read as such.
                self.put(&format!("`{}`", name.text));
                self.glue("(");
                self.list(args, Self::expr);
                self.glue(")");
            }
        }
        match clause.jitter.as_ref().map(|j| &j.kind) {
            Some(JitterKind::Natural) => self.put("JITTER NATURAL"),
            Some(JitterKind::Percent { value, by }) => {
                self.put("JITTER");
                self.number(value.value);
                self.glue("%");
                self.optional("BY", by.as_ref(), Self::expr);
            }
            None => {}
        }
        self.optional("OFFSET", clause.offset.as_ref(), Self::expr);
        self.optional("TIME ZONE", clause.time_zone.as_ref(), |out, zone| out.put(&quoted(&zone.value)));
    }

    fn cluster(&mut self, clause: &ClusterClause) {
        self.put("CLUSTER BY");
        self.expr(&clause.by);
        self.put("WHERE");
        self.expr(&clause.hot);
        self.optional("COLD WHEN", clause.cold.as_ref(), Self::expr);
        self.optional("MIN CELLS", clause.min_cells.as_ref(), Self::count);
        self.optional("REACH", clause.reach.as_ref(), Self::count);
        self.optional("DENSITY", clause.density.as_ref(), |out, density| {
            out.count(&density.count);
            out.put("WITHIN");
            out.count(&density.within);
        });
        self.optional("EXPIRE", clause.expire.as_ref(), Self::quantity);
        self.optional("EVERY", clause.every.as_ref(), Self::quantity);
        self.optional("WEIGHT", clause.weight.as_ref(), Self::expr);
        self.optional("MEMBERS", clause.members.as_ref(), Self::expr);
        self.optional("CONFIRM", clause.confirm.as_ref(), |out, confirm| {
            out.count(&confirm.hits);
            out.put("OF");
            out.count(&confirm.results);
        });
        match clause.overlap.map(|o| o.value) {
            Some(Overlap::Cells) => self.put("OVERLAP BY CELLS"),
            Some(Overlap::Weight) => self.put("OVERLAP BY WEIGHT"),
            Some(Overlap::Members) => self.put("OVERLAP BY MEMBERS"),
            None => {}
        }
        self.optional("SURVIVE", clause.survive.as_ref(), Self::ratio);
        self.optional("SPLIT", clause.split.as_ref(), Self::ratio);
        self.optional("GROW", clause.grow.as_ref(), Self::ratio);
        self.optional("MOVE", clause.move_.as_ref(), Self::ratio);
        self.optional("DENSE", clause.dense.as_ref(), Self::ratio);
    }

    fn latest(&mut self, clause: &LatestClause) {
        self.put("LATEST BY");
        self.list::<Expr>(&clause.by, Self::expr);
        self.optional("MAX AGE", clause.max_age.as_ref(), Self::quantity);
    }

    fn emit(&mut self, emit: &Emit) {
        match &emit.kind {
            EmitKind::Every { period, updated_keys } => {
                self.put("EMIT EVERY");
                self.quantity(period);
                if *updated_keys {
                    self.put("FOR UPDATED KEYS");
                }
            }
            EmitKind::All => self.put("EMIT ALL"),
            EmitKind::Changes => self.put("EMIT CHANGES"),
        }
    }
}
