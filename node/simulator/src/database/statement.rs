//! Single statements: reads, cursors, lists.

use tim_core::conversation::Shown;
use tim_core::home::Load;
use tim_core::id::{ConversationId, Epoch, Seq, Version};
use tim_core::placement;
use tim_core::session::Position;

use crate::event::{Asker, DatabaseIndex, DatabaseReply, Event, Fetched, Member, Statement};
use crate::options::{MILLISECOND, SECOND};
use crate::world::World;

impl World {
    pub(crate) fn execute(&mut self, database: DatabaseIndex, asker: Asker, statement: Statement) {
        if self.nodes[asker.node].boot != asker.boot {
            return;
        }
        let down = self.databases[database].down;
        // In the storm an answer is lost now and then, though the statement was executed.
        let lost = self.storm && self.chance(0.005);
        if down {
            let after = self.between(5 * MILLISECOND, SECOND);
            self.answer(asker, failure(statement), after);
            return;
        }
        let failed = lost.then(|| failure(statement.clone()));
        let reply = self.run(database, statement);
        let after = self.database_latency(database);
        self.answer(asker, failed.unwrap_or(reply), after);
    }

    pub(super) fn answer(&mut self, asker: Asker, reply: DatabaseReply, after: u64) {
        self.later(
            after,
            Event::Reply {
                node: asker.node,
                boot: asker.boot,
                reply,
            },
        );
    }

    fn run(&mut self, database: DatabaseIndex, statement: Statement) -> DatabaseReply {
        match statement {
            Statement::Load {
                request,
                conversations,
            } => {
                let found = Some(self.load(database, &conversations));
                DatabaseReply::Loaded { request, found }
            }
            Statement::List { search, account } => {
                let listed = self.databases[database].lists.get(&account);
                let conversations = Some(listed.into_iter().flatten().copied().collect());
                DatabaseReply::Listed {
                    search,
                    conversations,
                }
            }
            Statement::Positions {
                search,
                member,
                conversations,
            } => {
                let of_system = placement::system_conversation(&self.accounts[member.account]);
                let of = |conversation| self.position(database, member, conversation);
                let positions = conversations.into_iter().map(of);
                // One with the system that never had an entry is left out, as the nodes do.
                let told = |position: &Position| position.conversation != of_system || position.head > Seq(0);
                let positions = Some(positions.filter(told).collect());
                DatabaseReply::Positions { search, positions }
            }
            Statement::Enlist {
                session,
                account,
                conversation,
            } => {
                self.databases[database].enlist(account, conversation);
                DatabaseReply::Enlisted {
                    session,
                    account,
                    conversation,
                    done: true,
                }
            }
            Statement::Fetch {
                session,
                member,
                conversation,
                after,
                limit,
            } => {
                let found = Some(self.fetch(database, member, conversation, after, limit));
                DatabaseReply::Fetched {
                    session,
                    conversation,
                    found,
                }
            }
            Statement::MoveCursor {
                session,
                member,
                conversation,
                from,
                to,
            } => {
                let cursor = Some(self.move_cursor(database, member, conversation, from, to));
                DatabaseReply::CursorMoved {
                    session,
                    conversation,
                    cursor,
                }
            }
        }
    }

    fn load(&self, database: DatabaseIndex, conversations: &[(ConversationId, Epoch)]) -> Vec<Load> {
        let rows = &self.databases[database].rows;
        let load = |(conversation, _): &(ConversationId, Epoch)| {
            let Some(row) = rows.get(conversation) else {
                return Load::Version(Version(0));
            };
            let Some(room) = &row.state.room else {
                return Load::Version(row.state.version);
            };
            let members = row.standings.values().filter(|row| row.standing.is_member());
            Load::Room {
                version: row.state.version,
                members: members.map(|row| row.account.clone()).collect(),
                members_since: room.members_since,
            }
        };
        conversations.iter().map(load).collect()
    }

    fn fetch(
        &mut self,
        database: DatabaseIndex,
        member: Member,
        conversation: ConversationId,
        after: Option<Seq>,
        limit: u32,
    ) -> Fetched {
        let cursor = self.cursor(database, member, conversation);
        let account = &self.accounts[member.account];
        let row = self.databases[database].rows.entry(conversation).or_default();
        let from = after.unwrap_or(cursor);
        // In a room, only what the account's windows show.
        let shown = match (row.windows(account), &row.state.room) {
            (Some(windows), Some(room)) => Shown::in_room(from, &windows, &room.quiet, row.state.head),
            _ => Shown::all_behind(from),
        };
        let entries = row
            .entries
            .iter()
            .skip(shown.after.0 as usize)
            .take(limit as usize)
            .filter(|entry| entry.seq <= shown.until)
            .cloned()
            .collect();
        Fetched {
            entries,
            skip: (shown.after > from).then_some((from, shown.after)),
            cursor,
            head: row.head_for(account),
        }
    }

    fn position(
        &mut self,
        database: DatabaseIndex,
        member: Member,
        conversation: ConversationId,
    ) -> Position {
        let cursor = self.cursor(database, member, conversation);
        let account = &self.accounts[member.account];
        let row = self.databases[database].rows.entry(conversation).or_default();
        Position {
            conversation,
            cursor,
            head: row.head_for(account),
        }
    }

    /// The member's cursor; its row is made when the class is seen for the first time.
    fn cursor(&mut self, database: DatabaseIndex, member: Member, conversation: ConversationId) -> Seq {
        let row = self.databases[database].rows.entry(conversation).or_default();
        let (cursor, new) = row.cursor(member, &self.accounts);
        if new {
            self.checker
                .cursor_began(self.now, conversation, member, cursor.0);
        }
        cursor
    }

    /// Moves it if it is what the session believes; returns what it is now.
    fn move_cursor(
        &mut self,
        database: DatabaseIndex,
        member: Member,
        conversation: ConversationId,
        from: Seq,
        to: Seq,
    ) -> Seq {
        let row = self.databases[database].rows.entry(conversation).or_default();
        // The class is seen for the first time: it begins where its session did.
        let cursor = *row.members.entry(member).or_insert_with(|| {
            self.checker.cursor_began(self.now, conversation, member, from.0);
            from
        });
        if cursor != from || to <= from {
            return cursor;
        }
        row.members.insert(member, to);
        self.checker.cursor_moved(self.now, conversation, member, to.0);
        to
    }
}

fn failure(statement: Statement) -> DatabaseReply {
    match statement {
        Statement::Load { request, .. } => DatabaseReply::Loaded { request, found: None },
        Statement::Fetch {
            session,
            conversation,
            ..
        } => DatabaseReply::Fetched {
            session,
            conversation,
            found: None,
        },
        Statement::MoveCursor {
            session,
            conversation,
            ..
        } => DatabaseReply::CursorMoved {
            session,
            conversation,
            cursor: None,
        },
        Statement::List { search, .. } => DatabaseReply::Listed {
            search,
            conversations: None,
        },
        Statement::Positions { search, .. } => DatabaseReply::Positions {
            search,
            positions: None,
        },
        Statement::Enlist {
            session,
            account,
            conversation,
        } => DatabaseReply::Enlisted {
            session,
            account,
            conversation,
            done: false,
        },
    }
}
