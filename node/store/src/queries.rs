//! Several queries in one turn.
//!
//! SQLite runs in a thread of its connection. Each statement costs a switch to that thread and one back, and on a busy machine
//! waiting for a core is most of what a small transaction takes: so queries of which none needs another's answer are
//! sent there as one text. To a server they are sent one after the other, in their order, since they may take locks.

use sea_orm::{QueryResult, Value};
use tim_core::id::{Epoch, Slot};

use crate::admit::Admitted;
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::statement::KeyRows;
use crate::transaction::{Summary, Transaction, summary};

/// Stands alone in a row between the answers of two queries that were sent as one text.
const BOUNDARY: i64 = -1;

/// What such a text is called in spans, by the OpenTelemetry conventions.
const TOGETHER: Summary = summary("BATCH SELECT", "");

/// A query of which each row begins with a number that is not negative.
#[derive(Debug)]
pub(crate) struct Query {
    summary: Summary,
    text: String,
    value: Value,
}

impl Query {
    /// A query over key rows; nothing without any, since nothing is found then.
    pub(crate) fn over(keys: KeyRows, summary: Summary, text: impl FnOnce() -> String) -> Option<Self> {
        (!keys.is_empty()).then(|| Self {
            summary,
            text: text(),
            value: keys.finish(),
        })
    }
}

impl Transaction {
    /// Takes the fences of `uses` as [`Self::admit`] does, and runs queries about what they admit; `queries` is given whether
    /// the use in a place is to be read. The answers by use, and the rows of each query.
    ///
    /// Whoever has SQLite's file, or a snapshot of it, has every lock: there fences and rows are read in one turn, and what is not
    /// admitted is read for nothing.
    ///
    /// # Errors
    /// Any of the database, for all of them.
    pub(crate) async fn admit_and_read<const N: usize>(
        &mut self,
        uses: &[(Slot, Epoch)],
        access: Access,
        queries: impl FnOnce(&Self, &dyn Fn(usize) -> bool) -> [Option<Query>; N],
    ) -> Result<(Vec<Admitted<()>>, [Vec<QueryResult>; N]), StoreError> {
        if self.engine() != Engine::Sqlite {
            let admitted = self.admit(uses, access).await?;
            let queries = queries(self, &|place| admitted.get(place).is_some_and(Result::is_ok));
            let mut answers = [const { Vec::new() }; N];
            for (answer, query) in answers.iter_mut().zip(queries) {
                *answer = self.rows_found(query).await?;
            }
            return Ok((admitted, answers));
        }
        let fences = self.fences_ahead(uses);
        let all = std::iter::once(fences).chain(queries(self, &|_| true));
        let mut answers = self.rows_together(all).await?.into_iter();
        self.hold(&answers.next().unwrap_or_default())?;
        let answers = std::array::from_fn(|_| answers.next().unwrap_or_default());
        Ok((self.admit(uses, access).await?, answers))
    }

    /// The rows of a query; none where there is none.
    pub(crate) async fn rows_found(&self, query: Option<Query>) -> Result<Vec<QueryResult>, StoreError> {
        match query {
            Some(Query { summary, text, value }) => self.rows(summary, &text, vec![value]).await,
            None => Ok(Vec::new()),
        }
    }

    async fn rows_together(
        &self,
        queries: impl IntoIterator<Item = Option<Query>>,
    ) -> Result<Vec<Vec<QueryResult>>, StoreError> {
        let boundary = format!("SELECT {BOUNDARY}");
        let (mut texts, mut values, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for query in queries {
            if !answers.is_empty() {
                texts.push(boundary.clone());
            }
            answers.push(Vec::new());
            if let Some(Query { summary, text, value }) = query {
                self.explain(summary, &text, std::slice::from_ref(&value)).await?;
                texts.push(text);
                values.push(value);
            }
        }
        let rows = self.rows_unexplained(TOGETHER, &texts.join("; "), values).await?;
        let mut place = 0;
        for row in rows {
            let first = row.try_get_by_index::<i64>(0);
            if first.map_err(|error| self.database.error(error))? == BOUNDARY {
                place += 1;
            } else if let Some(answer) = answers.get_mut(place) {
                answer.push(row);
            }
        }
        Ok(answers)
    }
}
