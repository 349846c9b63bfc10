//! The plans that an engine makes for our statements; only with the feature `explain`, for the page that shows them and
//! the test that none of the hot ones reads a whole table.
//!
//! A plan is asked for with the statement's own values, in the statement's own transaction, before it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Value};

use crate::dsn::Engine;
use crate::error::StoreError;
use crate::store::Database;
use crate::transaction::Summary;

/// The alias of key rows, and what they are unpacked by: made for the statement, and read whole.
const KEY_ROWS: [&str; 3] = ["k", "j", "json_each"];

/// One statement and its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Operation and table, as in spans.
    pub summary: String,
    /// The text as it is sent.
    pub text: String,
    /// The plan in the engine's own words.
    pub plan: Vec<String>,
    /// Tables (or their aliases) of which every row is read.
    pub reads_all_of: Vec<String>,
}

/// What was explained so far, by text; nothing while nobody has asked for it.
#[derive(Debug, Default)]
pub(crate) struct Plans(Mutex<Option<BTreeMap<String, Explained>>>);

impl Plans {
    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<String, Explained>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the statement is one to be explained now: each text once, and no INSERT, whose plan says nothing.
    fn wants(&self, summary: Summary, text: &str) -> bool {
        matches!(summary.operation, "SELECT" | "UPDATE" | "DELETE")
            && self
                .lock()
                .as_ref()
                .is_some_and(|explained| !explained.contains_key(text))
    }
}

impl Database {
    /// Explains from now on every statement that is sent.
    pub fn explain_from_now_on(&self) {
        self.plans().lock().get_or_insert_default();
    }

    /// What was explained, in order of summary and text.
    #[must_use]
    pub fn explained(&self) -> Vec<Explained> {
        let lock = self.plans().lock();
        let mut all: Vec<Explained> = lock
            .iter()
            .flatten()
            .map(|(_, explained)| explained.clone())
            .collect();
        all.sort_by(|one, other| (&one.summary, &one.text).cmp(&(&other.summary, &other.text)));
        all
    }

    /// Asks for the plan of one statement, if it is wanted.
    pub(crate) async fn explain(
        &self,
        transaction: &DatabaseTransaction,
        summary: Summary,
        text: &str,
        values: &[Value],
    ) -> Result<(), StoreError> {
        if !self.plans().wants(summary, text) {
            return Ok(());
        }
        let verb = match self.engine() {
            Engine::Sqlite => "EXPLAIN QUERY PLAN",
            Engine::Postgres => "EXPLAIN (COSTS OFF)",
            Engine::MySql => "EXPLAIN",
        };
        let statement = self.statement(&format!("{verb} {text}"), values.to_vec());
        let rows = transaction.query_all_raw(statement).await;
        let rows = rows.map_err(|error| self.error(error))?;
        let mut explained = Explained {
            summary: named(summary),
            text: text.to_owned(),
            plan: Vec::new(),
            reads_all_of: Vec::new(),
        };
        for row in &rows {
            self.read_plan(row, &mut explained)
                .map_err(|error| self.error(error))?;
        }
        if let Some(all) = self.plans().lock().as_mut() {
            all.insert(text.to_owned(), explained);
        }
        Ok(())
    }

    fn read_plan(&self, row: &QueryResult, explained: &mut Explained) -> Result<(), sea_orm::DbErr> {
        let (line, read_whole) = match self.engine() {
            Engine::Sqlite => {
                let line: String = row.try_get_by_index(3)?;
                let scanned = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
                let scanned = scanned.map(str::to_owned);
                (
                    line,
                    scanned.filter(|name| !name.starts_with('(') && name != "CONSTANT"),
                )
            }
            Engine::Postgres => {
                let line: String = row.try_get_by_index(0)?;
                let scanned = line.split_once("Seq Scan on ").map(|(_, rest)| rest);
                let scanned = scanned.and_then(|rest| rest.split(' ').next()).map(str::to_owned);
                (line, scanned)
            }
            Engine::MySql => {
                let text = |name: &str| row.try_get::<Option<String>>("", name);
                let (table, how) = (text("table")?, text("type")?);
                let (key, extra) = (text("key")?, text("Extra")?);
                let shown = [&table, &how, &key, &extra].map(|cell| cell.as_deref().unwrap_or("-"));
                let whole = matches!(how.as_deref(), Some("ALL" | "index"));
                (
                    shown.join(" · "),
                    table.filter(|name| whole && !name.starts_with('<')),
                )
            }
        };
        explained.plan.push(line);
        explained
            .reads_all_of
            .extend(read_whole.filter(|name| !KEY_ROWS.contains(&name.as_str())));
        Ok(())
    }
}

fn named(summary: Summary) -> String {
    format!("{} {}", summary.operation, summary.table)
}
