//! Frames on their way to one client: bounded, so that a client that does not read costs bounded memory.
//!
//! Frames of live streams wait apart from all others: they go out when nothing else waits, and when they are too many the
//! oldest are dropped. So a stream that is too fast for its subscriber neither delays its messages nor ends its connection.

use crate::session::CloseReason;
use bytes::Bytes;
use std::collections::VecDeque;

/// What waits to be written, and whether the connection shall end after it.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames: VecDeque<Bytes>,
    waiting_bytes: usize,
    limit_bytes: usize,
    streams: VecDeque<Bytes>,
    stream_bytes: usize,
    stream_limit_bytes: usize,
    closing: Option<CloseReason>,
}

impl Outbox {
    pub(crate) fn new(limit_bytes: usize, stream_limit_bytes: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            waiting_bytes: 0,
            limit_bytes,
            streams: VecDeque::new(),
            stream_bytes: 0,
            stream_limit_bytes,
            closing: None,
        }
    }

    /// Adds a frame. Beyond the limit the connection is closed: nothing stored is lost by that, it is delivered again.
    pub(crate) fn push(&mut self, frame: Bytes) {
        self.waiting_bytes += frame.len();
        self.frames.push_back(frame);
        if self.waiting_bytes > self.limit_bytes && self.frames.len() > 1 {
            self.close(CloseReason::TooSlow);
        }
    }

    /// Adds a frame of a live stream; how many older ones were dropped for it.
    pub(crate) fn push_stream(&mut self, frame: Bytes) -> u64 {
        self.stream_bytes += frame.len();
        self.streams.push_back(frame);
        let mut dropped = 0;
        while self.stream_bytes > self.stream_limit_bytes && self.streams.len() > 1 {
            self.pop_stream();
            dropped += 1;
        }
        dropped
    }

    fn pop_stream(&mut self) -> Option<Bytes> {
        let frame = self.streams.pop_front()?;
        self.stream_bytes -= frame.len();
        if self.streams.is_empty() {
            self.streams = VecDeque::new();
        }
        Some(frame)
    }

    /// Takes the next frame; one of a live stream when there is no other.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let Some(frame) = self.frames.pop_front() else {
            return self.pop_stream();
        };
        self.waiting_bytes -= frame.len();
        if self.frames.is_empty() {
            // An idle connection keeps no buffer.
            self.frames = VecDeque::new();
        }
        Some(frame)
    }

    /// Whether the client is so far behind that what is not stored is dropped.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting_bytes > self.limit_bytes / 4
    }

    /// The connection shall end; the first reason counts.
    pub(crate) fn close(&mut self, reason: CloseReason) {
        self.closing.get_or_insert(reason);
    }

    /// Why it shall end, if it shall.
    pub(crate) fn closing(&self) -> Option<CloseReason> {
        self.closing
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.streams.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_does_not_read_is_closed_and_one_large_frame_is_no_reason() {
        let mut outbox = Outbox::new(10, 10);
        outbox.push(Bytes::from_static(b"a frame larger than the limit"));
        assert_eq!(outbox.closing(), None);
        assert!(outbox.is_behind());
        outbox.push(Bytes::from_static(b"x"));
        assert_eq!(outbox.closing(), Some(CloseReason::TooSlow));
        assert!(outbox.pop().is_some() && outbox.pop().is_some() && outbox.pop().is_none());
        assert!(!outbox.is_behind() && outbox.is_empty());
    }

    #[test]
    fn a_stream_loses_its_oldest_frames_and_goes_behind_everything_else() {
        let mut outbox = Outbox::new(10, 10);
        assert_eq!(
            outbox.push_stream(Bytes::from_static(b"larger than the limit")),
            0
        );
        assert_eq!(outbox.push_stream(Bytes::from_static(b"one")), 1);
        assert_eq!(outbox.push_stream(Bytes::from_static(b"two")), 0);
        assert_eq!(outbox.push_stream(Bytes::from_static(b"three")), 1);
        outbox.push(Bytes::from_static(b"message"));
        assert!(outbox.closing().is_none());
        let order: Vec<Bytes> = std::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!(order, [&b"message"[..], b"two", b"three"]);
        assert!(outbox.is_empty());
    }
}
