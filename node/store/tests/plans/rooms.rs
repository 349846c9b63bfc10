//! Rooms of many members, and what happens in them.

use crate::support::{EPOCH, NOW_NS, account, append_one, next_key};
use bytes::Bytes;
use std::sync::Arc;
use tim_core::conversation::{
    ConversationBatch, ConversationOutcome, Operation, RoomBody as _, RoomCreation, RoomOperation,
    RoomProfile, Standing, Submission, Verdict,
};
use tim_core::id::{AccountId, ContentHash, ConversationId, DeviceClass, RoomId, Seq, Version};
use tim_core::placement;
use tim_store::{CursorAdvance, Database, HistoryQuery, PositionQuery, StandingQuery};

const ROOMS: usize = 30;
const MEMBERS: usize = 60;

/// A room, and how often it has changed.
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) conversation: ConversationId,
    version: u64,
}

fn member(number: usize) -> AccountId {
    account(&format!("member-{number}"))
}

impl Room {
    fn submission(&self, sender: usize, peer: usize, operation: RoomOperation) -> Submission {
        let creation = || RoomCreation {
            id: self.id.clone(),
            private: true,
            profile: RoomProfile::default(),
        };
        let body = match operation {
            RoomOperation::Create => creation().to_body(),
            _ => Bytes::from_static(b"as long as a message is"),
        };
        Submission {
            key: next_key(),
            conversation: self.conversation,
            sender: member(sender),
            peer: member(peer),
            sender_class: DeviceClass(1),
            operation: Operation::Room(operation),
            client_id: None,
            content_hash: ContentHash([7; 16]),
            attempt: 1,
            vouched: false,
            body,
        }
    }

    /// All in one group commit; the place of the last.
    async fn run(&mut self, database: &Database, submissions: Vec<Submission>) -> Seq {
        let batch = ConversationBatch {
            conversation: self.conversation,
            expected_version: Version(self.version),
            epoch: EPOCH,
            room_members_max: 100_000,
            submissions: submissions.into_iter().map(Arc::new).collect(),
        };
        let outcome = append_one(database, batch).await;
        let ConversationOutcome::Done {
            verdicts, version, ..
        } = outcome
        else {
            panic!("not done: {outcome:?}");
        };
        self.version = version.0;
        match verdicts.last() {
            Some(Verdict::Store { entry, .. }) => entry.seq,
            other => panic!("not stored: {other:?}"),
        }
    }
}

/// Rooms with members, some of whom have confirmed something.
pub(crate) async fn fill(database: &Database) -> Vec<Room> {
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        let id = RoomId::new(format!("room-{number}")).unwrap();
        let conversation = placement::room_conversation(&id);
        let mut room = Room {
            id,
            conversation,
            version: 0,
        };
        let made = room.submission(0, 0, RoomOperation::Create);
        room.run(database, vec![made]).await;
        let pulled = (1..=MEMBERS).map(|number| room.submission(0, number, RoomOperation::Pull));
        let pulled = pulled.collect();
        room.run(database, pulled).await;
        let said = (0..10).map(|_| room.submission(1, 1, RoomOperation::Message));
        let said = said.collect();
        room.run(database, said).await;
        rooms.push(room);
    }
    rooms
}

/// What members do, and what nodes ask to deliver it.
pub(crate) async fn talk(database: &Database, room: &mut Room) {
    let said = room.submission(2, 2, RoomOperation::Message);
    let said = room.run(database, vec![said]).await;
    let revoke = room.submission(2, 2, RoomOperation::Revoke(said));
    room.run(database, vec![revoke]).await;
    let kick = room.submission(0, 3, RoomOperation::Kick);
    room.run(database, vec![kick]).await;
    let join = room.submission(3, 3, RoomOperation::Join);
    room.run(database, vec![join]).await;
    let found = database.room_accounts(&room.conversation, EPOCH, &[Standing::MEMBER]);
    assert_eq!(found.await.unwrap().len(), MEMBERS);
    let positions = [1, 2].map(|number| PositionQuery {
        conversation: room.conversation,
        epoch: EPOCH,
        account: member(number),
    });
    let position = database.positions(&positions).await.unwrap().remove(0).unwrap();
    let from = position.cursor(&member(1), DeviceClass(1));
    let advance = CursorAdvance {
        conversation: room.conversation,
        epoch: EPOCH,
        account: member(1),
        class: DeviceClass(1),
        from,
        to: from.next(),
    };
    database.advance_cursors(&[advance]).await.unwrap();
    let standings = [1, 2].map(|number| StandingQuery {
        conversation: room.conversation,
        epoch: EPOCH,
        account: member(number),
    });
    database.standings(&standings).await.unwrap();
    let query = HistoryQuery {
        conversation: room.conversation,
        epoch: EPOCH,
        up_to: None,
        not_after_ns: Some(NOW_NS),
        limit: 10,
    };
    assert_eq!(database.history(query).await.unwrap().len(), 10);
}
