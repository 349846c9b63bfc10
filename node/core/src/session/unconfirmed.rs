//! Frames the client has to confirm, and echoes that its next frame confirms.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::conversation::Entry;
use crate::id::{ConversationId, Seq};
use crate::time::Moment;

/// What a frame carries.
pub(super) type Entries = SmallVec<[(ConversationId, Arc<Entry>); 1]>;

#[derive(Debug)]
pub(super) struct Frame {
    /// One per time it was sent; any of them confirms.
    pub(super) sync_ids: SmallVec<[u32; 3]>,
    pub(super) entries: Entries,
    pub(super) offline: bool,
    pub(super) due: Moment,
}

#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    frames: VecDeque<Frame>,
    entries: usize,
    bytes: usize,
    echoes: Vec<(ConversationId, Seq)>,
    last_sync_id: u32,
}

impl Unconfirmed {
    /// Numbers are positive and 31 bits wide: clients read a signed integer.
    fn next_sync_id(&mut self) -> u32 {
        self.last_sync_id = (self.last_sync_id % 0x7fff_ffff) + 1;
        self.last_sync_id
    }

    pub(super) fn add(&mut self, entries: Entries, offline: bool, due: Moment) -> u32 {
        let sync_id = self.next_sync_id();
        self.entries += entries.len();
        self.bytes += bytes_of(&entries);
        self.frames.push_back(Frame {
            sync_ids: SmallVec::from_slice(&[sync_id]),
            entries,
            offline,
            due,
        });
        sync_id
    }

    pub(super) fn add_echo(&mut self, conversation: ConversationId, seq: Seq) {
        self.echoes.push((conversation, seq));
    }

    /// Takes the frame that was sent under a number.
    pub(super) fn confirm(&mut self, sync_id: u32) -> Option<Frame> {
        let place = self
            .frames
            .iter()
            .position(|frame| frame.sync_ids.contains(&sync_id))?;
        let frame = self.frames.remove(place)?;
        self.entries -= frame.entries.len();
        self.bytes -= bytes_of(&frame.entries);
        Some(frame)
    }

    /// Takes one entry out of what waits, because its content is gone; whether it was there. An offline batch waits on
    /// without it: the next one follows its confirmation.
    pub(super) fn forget(&mut self, conversation: &ConversationId, seq: Seq) -> bool {
        let before = self.entries;
        for frame in &mut self.frames {
            let (entries, bytes) = (&mut self.entries, &mut self.bytes);
            frame.entries.retain(|(of, entry)| {
                let is_other = of != conversation || entry.seq != seq;
                if !is_other {
                    *entries -= 1;
                    *bytes -= entry.body.len();
                }
                is_other
            });
        }
        self.frames
            .retain(|frame| frame.offline || !frame.entries.is_empty());
        self.entries < before
    }

    pub(super) fn take_echoes(&mut self) -> Vec<(ConversationId, Seq)> {
        std::mem::take(&mut self.echoes)
    }

    /// The earliest moment at which a frame has to be sent again.
    pub(super) fn due(&self) -> Option<Moment> {
        self.frames.iter().map(|frame| frame.due).min()
    }

    /// Whether a frame is due that has been sent often enough.
    pub(super) fn is_hopeless(&self, now: Moment, max_sends: u32) -> bool {
        self.frames
            .iter()
            .any(|frame| frame.due <= now && frame.sync_ids.len() >= max_sends as usize)
    }

    /// Gives every due frame a new number, in order, and shows it.
    pub(super) fn send_again(&mut self, now: Moment, next_due: Moment, mut show: impl FnMut(u32, &Frame)) {
        let mut frames = std::mem::take(&mut self.frames);
        for frame in frames.iter_mut().filter(|frame| frame.due <= now) {
            let sync_id = self.next_sync_id();
            frame.sync_ids.push(sync_id);
            frame.due = next_due;
            show(sync_id, frame);
        }
        self.frames = frames;
    }

    /// Forgets all of it; whether an offline batch was among it.
    pub(super) fn clear(&mut self) -> bool {
        let offline = self.frames.iter().any(|frame| frame.offline);
        self.frames = VecDeque::new();
        self.entries = 0;
        self.bytes = 0;
        self.echoes = Vec::new();
        offline
    }

    /// Entries handed on and not confirmed, echoes not counted.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The bodies of those entries in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn echoes(&self) -> usize {
        self.echoes.len()
    }
}

fn bytes_of(entries: &Entries) -> usize {
    entries.iter().map(|(_, entry)| entry.body.len()).sum()
}
