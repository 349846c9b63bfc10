//! The inbox of one session: small, because there is one per connection, and never blocking for whoever posts.
//!
//! Only the session's own task takes things out, so everything about a session happens in one place, in order.

use crate::session::Input;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

/// Things that wait for a session's task.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    /// A timer has rung; kept apart so that ringing allocates nothing.
    rung: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    inputs: Vec<Input>,
    waker: Option<Waker>,
    closed: bool,
}

impl Mailbox {
    /// Posts an input; gives it back when the session has ended.
    pub(crate) fn post(&self, input: Input) -> Result<(), Input> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(input);
        }
        inner.inputs.push(input);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// How many inputs wait.
    #[cfg(test)]
    pub(crate) fn length(&self) -> usize {
        self.inner.lock().inputs.len()
    }

    /// Wakes the session so that it looks at its deadlines.
    pub(crate) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        let waker = self.inner.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Everything that waits, into `inputs`; ready also when only a timer has rung.
    pub(crate) fn poll_take(&self, context: &mut Context<'_>, inputs: &mut Vec<Input>) -> Poll<()> {
        let mut inner = self.inner.lock();
        let rung = self.rung.swap(false, Ordering::AcqRel);
        if !inner.inputs.is_empty() {
            if inputs.is_empty() {
                // Hands the buffer over instead of copying; the idle session keeps none.
                std::mem::swap(&mut inner.inputs, inputs);
            } else {
                inputs.append(&mut inner.inputs);
            }
            return Poll::Ready(());
        }
        if rung {
            return Poll::Ready(());
        }
        match &mut inner.waker {
            Some(waker) if waker.will_wake(context.waker()) => {}
            waker => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Nothing is taken any more; what still waits is given back.
    pub(crate) fn close(&self) -> Vec<Input> {
        let mut inner = self.inner.lock();
        inner.closed = true;
        std::mem::take(&mut inner.inputs)
    }
}
