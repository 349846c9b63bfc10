//! Moving delivered cursors: batched, each conditional on the value its session saw last.

use std::collections::HashMap;

use sea_orm::QueryResult;
use tim_core::id::{AccountId, ConversationId, DeviceClass, Epoch, Seq};
use tim_core::placement;

use crate::admit::Admitted;
use crate::dsn::Engine;
use crate::error::StoreError;
use crate::fence::Access;
use crate::queries::Query;
use crate::read;
use crate::schema::MEMBER;
use crate::statement::{Cell, KeyColumn, KeyRows, join, key_rows};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// One cursor to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorAdvance {
    /// The conversation.
    pub conversation: ConversationId,
    /// Epoch of its range, as the caller believes.
    pub epoch: Epoch,
    /// Whose cursor.
    pub account: AccountId,
    /// Of which class of devices.
    pub class: DeviceClass,
    /// The value the caller saw. Where the class has no row yet it is where the class begins.
    pub from: Seq,
    /// The new value. Equal to `from` it only makes the row, so that the class keeps where it began.
    pub to: Seq,
}

/// What became of one cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advanced {
    /// It stands at the new value.
    Moved,
    /// It stood elsewhere than the caller believed, and stays there.
    Elsewhere(Seq),
}

impl Database {
    /// Moves cursors; one answer each, in order.
    ///
    /// # Errors
    /// Any of the database. After [`StoreError::CommitInDoubt`] the cursors are read again.
    pub async fn advance_cursors(
        &self,
        advances: &[CursorAdvance],
    ) -> Result<Vec<Admitted<Advanced>>, StoreError> {
        self.transact(Access::Write, &|mut transaction| {
            Box::pin(async move {
                let advanced = transaction.advance_cursors(advances).await?;
                Ok((transaction, advanced))
            })
        })
        .await
    }
}

/// Position and version of a member row.
type Held = (Seq, i64);

impl Transaction {
    async fn advance_cursors(
        &mut self,
        advances: &[CursorAdvance],
    ) -> Result<Vec<Admitted<Advanced>>, StoreError> {
        let uses: Vec<_> = advances
            .iter()
            .map(|advance| (placement::slot(&advance.conversation.0), advance.epoch))
            .collect();
        let rows: Vec<Vec<Cell>> = advances
            .iter()
            .zip(&uses)
            .map(|(advance, (slot, _))| self.member_key(advance, slot.0))
            .collect();
        let (admitted, [members]) = self
            .admit_and_read(&uses, Access::Write, |transaction, is_read| {
                [transaction.member_query(&rows, is_read)]
            })
            .await?;
        let mut held = self.members_held(&rows, &members)?;
        let mut writes: HashMap<&[Cell], Held> = HashMap::new();
        let answers = admitted
            .into_iter()
            .enumerate()
            .map(|(place, admitted)| {
                admitted?;
                let advance = &advances[place];
                let key = rows[place].as_slice();
                let version = match held.get(key) {
                    Some((position, _)) if *position != advance.from => {
                        return Ok(Advanced::Elsewhere(*position));
                    }
                    Some(_) if advance.from == advance.to => return Ok(Advanced::Moved),
                    Some((_, version)) => version + 1,
                    None => 1,
                };
                held.insert(key.to_vec(), (advance.to, version));
                writes.insert(key, (advance.to, version));
                Ok(Advanced::Moved)
            })
            .collect();
        let writes = writes
            .into_iter()
            .map(|(key, (position, version))| {
                let mut row = key.to_vec();
                row.extend([Cell::Number(position.0 as i64), Cell::Number(version)]);
                row
            })
            .collect();
        self.upsert(&MEMBER, writes).await?;
        Ok(answers)
    }

    /// The key columns of the member row.
    fn member_key(&self, advance: &CursorAdvance, slot: u32) -> Vec<Cell> {
        let keys = self.database.keys();
        vec![
            Cell::Number(i64::from(slot)),
            Cell::bytes(&keys.conversation(&advance.conversation)),
            Cell::bytes(&keys.account(&advance.account)),
            Cell::Number(i64::from(advance.class.0)),
        ]
    }

    /// Locks and reads the member rows of those that are to be read, in key order.
    fn member_query(&self, rows: &[Vec<Cell>], is_read: impl Fn(usize) -> bool) -> Option<Query> {
        let mut order: Vec<usize> = (0..rows.len()).filter(|place| is_read(*place)).collect();
        order.sort_unstable_by_key(|place| (rows[*place][0].as_number(), MEMBER.row_key(&rows[*place])));
        order.dedup_by_key(|place| &rows[*place]);
        let mut keys = KeyRows::new();
        for place in order {
            let row = &rows[place];
            keys.row()
                .number(place as i64)
                .number(row[0].as_number())
                .bytes(row[1].as_bytes())
                .bytes(row[2].as_bytes())
                .number(row[3].as_number());
        }
        let engine = self.engine();
        let suffix = match engine {
            Engine::Sqlite => "",
            Engine::Postgres => " ORDER BY m.slot, m.conversation, m.account, m.class FOR UPDATE OF m",
            Engine::MySql => " FOR UPDATE",
        };
        let columns = [
            KeyColumn::Number("place"),
            KeyColumn::Number("slot"),
            KeyColumn::Bytes("conversation"),
            KeyColumn::Bytes("account"),
            KeyColumn::Number("class"),
        ];
        Query::over(keys, summary("SELECT", "tim_member"), || {
            format!(
                "SELECT k.place, m.position, m.version FROM {keys} {join} tim_member m ON m.slot = k.slot \
                 AND m.conversation = k.conversation AND m.account = k.account AND m.class = k.class{suffix}",
                keys = key_rows(engine, &columns),
                join = join(engine),
            )
        })
    }

    /// What [`Self::member_query`] has found, by the key of the row.
    fn members_held(
        &self,
        rows: &[Vec<Cell>],
        found: &[QueryResult],
    ) -> Result<HashMap<Vec<Cell>, Held>, StoreError> {
        found
            .iter()
            .map(|row| {
                let key = rows[read::place(row, 0)?].clone();
                Ok((key, (Seq(read::number(row, 1)?), row.try_get_by_index::<i64>(2)?)))
            })
            .collect::<Result<_, _>>()
            .map_err(|error| self.database.error(error))
    }
}
