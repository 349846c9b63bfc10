//! Rooms: what is decided about them is stored whole, and read as homes, sessions and lists need it.

use std::sync::Arc;

use bytes::Bytes;
use tim_core::conversation::{
    ConversationBatch, ConversationOutcome, ConversationState, EntryKind, Operation, Refusal, RoomBody,
    RoomCreation, RoomOperation, RoomProfile, Standing, Submission, Verdict,
};
use tim_core::id::{AccountId, ContentHash, ConversationId, DeviceClass, Epoch, RoomId, Seq, Version};
use tim_core::placement;
use tim_store::{CursorAdvance, Database, EntriesAfter, HistoryQuery, PositionQuery, StandingQuery};

use crate::support::{EPOCH, Engine, Fresh, account, append_one, next_key, on_every_engine};

on_every_engine!(
    a_room_is_made_filled_and_talked_in,
    who_is_removed_keeps_what_was_said_until_then,
    a_room_of_many_is_read_page_by_page,
    what_is_repeated_is_known_and_nothing_is_readable,
);

/// A room and its database, as its home uses it.
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) conversation: ConversationId,
    epoch: Epoch,
    version: u64,
}

impl Room {
    pub(crate) fn named(name: &str) -> Self {
        let id = RoomId::new(name).unwrap();
        Self {
            conversation: placement::room_conversation(&id),
            id,
            epoch: EPOCH,
            version: 0,
        }
    }

    pub(crate) fn creation(&self) -> Bytes {
        let made = RoomCreation {
            id: self.id.clone(),
            private: true,
            profile: RoomProfile {
                topic: Some("the topic of the room".to_owned()),
                ..RoomProfile::default()
            },
        };
        made.to_body()
    }

    pub(crate) fn submission(
        &self,
        sender: &AccountId,
        target: &AccountId,
        operation: RoomOperation,
        body: Bytes,
    ) -> Submission {
        Submission {
            key: next_key(),
            conversation: self.conversation,
            sender: sender.clone(),
            peer: target.clone(),
            sender_class: DeviceClass(1),
            operation: Operation::Room(operation),
            client_id: None,
            content_hash: ContentHash([7; 16]),
            attempt: 1,
            vouched: false,
            body,
        }
    }

    fn batch(&self, submissions: Vec<Submission>) -> ConversationBatch {
        ConversationBatch {
            conversation: self.conversation,
            expected_version: Version(self.version),
            epoch: self.epoch,
            room_members_max: 100_000,
            submissions: submissions.into_iter().map(Arc::new).collect(),
        }
    }

    pub(crate) async fn run(&mut self, database: &Database, submissions: Vec<Submission>) -> Vec<Verdict> {
        let outcome = append_one(database, self.batch(submissions)).await;
        let ConversationOutcome::Done {
            verdicts,
            version,
            cursors,
        } = outcome
        else {
            panic!("not done: {outcome:?}");
        };
        assert_eq!(cursors, [], "a room may have any number of members");
        self.version = version.0;
        verdicts
    }

    /// One operation; the place of its entry.
    pub(crate) async fn ask(
        &mut self,
        database: &Database,
        sender: &str,
        target: &str,
        operation: RoomOperation,
    ) -> Result<Seq, Refusal> {
        let body = match operation {
            RoomOperation::Create => self.creation(),
            _ => Bytes::from_static(b"something said in the room"),
        };
        let submission = self.submission(&account(sender), &account(target), operation, body);
        match self.run(database, vec![submission]).await.remove(0) {
            Verdict::Store { entry, .. } => Ok(entry.seq),
            Verdict::Refuse(refusal) => Err(refusal),
            Verdict::Known(known) => panic!("known: {known:?}"),
        }
    }

    async fn state(&self, database: &Database) -> ConversationState {
        let asked = [(self.conversation, self.epoch)];
        database
            .open_conversations(&asked)
            .await
            .unwrap()
            .remove(0)
            .unwrap()
    }

    async fn position(&self, database: &Database, of: &str) -> tim_store::Position {
        let query = PositionQuery {
            conversation: self.conversation,
            epoch: self.epoch,
            account: account(of),
        };
        database.positions(&[query]).await.unwrap().remove(0).unwrap()
    }
}

async fn a_room_is_made_filled_and_talked_in(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let mut room = Room::named("room");
    assert_eq!(
        room.ask(&database, "f", "f", RoomOperation::Message).await,
        Err(Refusal::NoSuchRoom)
    );
    room.ask(&database, "f", "f", RoomOperation::Create)
        .await
        .unwrap();
    for member in ["p", "q"] {
        room.ask(&database, "f", member, RoomOperation::Pull)
            .await
            .unwrap();
    }
    assert_eq!(
        room.ask(&database, "s", "s", RoomOperation::Message).await,
        Err(Refusal::NotAMember)
    );
    let said = room
        .ask(&database, "p", "p", RoomOperation::Message)
        .await
        .unwrap();
    let applied = room.ask(&database, "a", "a", RoomOperation::Join).await.unwrap();
    let state = room.state(&database).await;
    assert_eq!((state.head, state.version), (applied, Version(room.version)));
    let stored = state.room.unwrap();
    assert_eq!((stored.members, stored.members_since), (3, Seq(3)));
    assert_eq!(stored.profile.topic.as_deref(), Some("the topic of the room"));
    let query = EntriesAfter {
        conversation: room.conversation,
        epoch: EPOCH,
        after: Seq(0),
        limit: 10,
        max_bytes: usize::MAX,
    };
    let entries = database.entries_after(query).await.unwrap();
    let kinds: Vec<EntryKind> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds,
        [
            EntryKind::Unannounced,
            EntryKind::RoomPulled,
            EntryKind::RoomPulled,
            EntryKind::RoomMessage,
            EntryKind::RoomApplied
        ]
    );
    assert_eq!(entries[4].audience, [account("f")]);
    let quiet = database.quiet_runs(&room.conversation, EPOCH).await.unwrap();
    let founder = room.position(&database, "f").await.windows.unwrap();
    assert_eq!(
        quiet.pass(&founder, Seq(1)),
        Seq(3),
        "who came is no news to the founder"
    );
    assert_eq!(quiet.pass(&founder, Seq(3)), Seq(3));
    let query = HistoryQuery {
        conversation: room.conversation,
        epoch: EPOCH,
        up_to: None,
        not_after_ns: None,
        limit: 10,
    };
    let history = database.history(query).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [said]);
    room.ask(&database, "p", "p", RoomOperation::Revoke(said))
        .await
        .unwrap();
    assert!(database.history(query).await.unwrap().is_empty());
    let standings = ["f", "a", "s"].map(|name| StandingQuery {
        conversation: room.conversation,
        epoch: EPOCH,
        account: account(name),
    });
    let found = database.standings(&standings).await.unwrap();
    let found: Vec<Option<Standing>> = found
        .into_iter()
        .map(|row| row.unwrap().map(|row| row.standing))
        .collect();
    assert_eq!(found, [Some(Standing::MEMBER), Some(Standing::APPLIED), None]);
}

async fn who_is_removed_keeps_what_was_said_until_then(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let mut room = Room::named("room");
    room.ask(&database, "f", "f", RoomOperation::Create)
        .await
        .unwrap();
    let came = room.ask(&database, "f", "p", RoomOperation::Pull).await.unwrap();
    let position = room.position(&database, "p").await;
    let (p, class) = (account("p"), DeviceClass(1));
    assert_eq!(
        (position.cursor(&p, class), position.head),
        (Seq(came.0 - 1), came),
        "it begins where it came"
    );
    room.ask(&database, "f", "f", RoomOperation::Message)
        .await
        .unwrap();
    let kicked = room.ask(&database, "f", "p", RoomOperation::Kick).await.unwrap();
    for _ in 0..3 {
        room.ask(&database, "f", "f", RoomOperation::Message)
            .await
            .unwrap();
    }
    assert_eq!(room.position(&database, "p").await.head, kicked);
    assert_eq!(
        room.position(&database, "stranger").await.head,
        Seq(0),
        "a room is nothing to who has nothing to do with it"
    );
    let again = room.ask(&database, "f", "p", RoomOperation::Pull).await.unwrap();
    let position = room.position(&database, "p").await;
    assert_eq!(position.head, again);
    let behind = position.windows.unwrap().next_behind(kicked).unwrap();
    assert_eq!(
        behind.after,
        Seq(again.0 - 1),
        "what was said meanwhile is left out"
    );
    let advance = CursorAdvance {
        conversation: room.conversation,
        epoch: EPOCH,
        account: p.clone(),
        class,
        from: Seq(came.0 - 1),
        to: kicked,
    };
    database.advance_cursors(&[advance]).await.unwrap();
    assert_eq!(room.position(&database, "p").await.cursor(&p, class), kicked);
}

async fn a_room_of_many_is_read_page_by_page(engine: Engine) {
    const MEMBERS: usize = 12_000;
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let mut room = Room::named("room");
    room.ask(&database, "f", "f", RoomOperation::Create)
        .await
        .unwrap();
    let founder = account("f");
    let accounts: Vec<AccountId> = (0..MEMBERS)
        .map(|number| account(&format!("m{number}")))
        .collect();
    for some in accounts.chunks(1_000) {
        let pulls = some
            .iter()
            .map(|member| room.submission(&founder, member, RoomOperation::Pull, Bytes::new()));
        let pulls = pulls.collect();
        room.run(&database, pulls).await;
    }
    let mut found = database
        .room_accounts(&room.conversation, EPOCH, &[Standing::MEMBER])
        .await
        .unwrap();
    found.sort();
    let mut expected = accounts;
    expected.push(founder);
    expected.sort();
    assert_eq!(found, expected);
    let before = database.statements_sent();
    room.ask(&database, "f", "f", RoomOperation::Message)
        .await
        .unwrap();
    let statements = database.statements_sent() - before;
    assert!(
        statements < 16,
        "{statements} statements for one message to {MEMBERS}"
    );
}

async fn what_is_repeated_is_known_and_nothing_is_readable(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let mut room = Room::named("room-with-a-name");
    let creation = room.creation();
    let founder = account("the-founder");
    let made = room.submission(&founder, &founder, RoomOperation::Create, creation);
    let applicant = account("the-applicant");
    let applied = room.submission(
        &applicant,
        &applicant,
        RoomOperation::Join,
        Bytes::from_static(b"let me in"),
    );
    let verdicts = room.run(&database, vec![made.clone(), applied.clone()]).await;
    let Verdict::Store { entry, .. } = &verdicts[1] else {
        panic!("{verdicts:?}");
    };
    let again = room.run(&database, vec![made, applied]).await;
    let Verdict::Known(known) = &again[1] else {
        panic!("{again:?}");
    };
    assert_eq!((known.seq, &known.audience), (entry.seq, &entry.audience));
    assert!(matches!(&again[0], Verdict::Known(known) if known.seq == Seq(1)));
    database.close().await;
    let dump = crate::secrets::dump(&fresh).await;
    for readable in [
        "the-founder",
        "the-applicant",
        "let me in",
        "the topic",
        "room-with-a-name",
    ] {
        let found = crate::secrets::contains(&dump, readable.as_bytes());
        assert!(!found, "{readable} is readable");
    }
}
