//! Questions under way, and what waits to be asked again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conversation::starting_cursor;
use crate::delivery::{Committed, Config, Effect, Event, Push};
use crate::id::{AccountId, NodeName, SessionId};
use crate::placement;
use crate::presence::{Lookup, SessionEntry};
use crate::time::{Moment, earliest};
use crate::view::View;

/// How long the planted bug remembers "nobody", in milliseconds.
const NOBODY_CACHE_MS: u64 = 30_000;

/// One account that entries wait for.
#[derive(Debug, Clone)]
struct Item {
    account: AccountId,
    committed: Arc<Committed>,
    asks: u32,
    /// Sessions that were sent to although the answer was uncertain.
    served: Vec<SessionId>,
}

#[derive(Debug)]
struct Asked {
    to: NodeName,
    until: Moment,
    /// The distinct accounts, as asked.
    accounts: Vec<AccountId>,
    items: Vec<Item>,
}

/// All deliveries of a node as home.
#[derive(Debug)]
pub struct Delivery {
    config: Config,
    view: Arc<View>,
    asked: BTreeMap<u64, Asked>,
    waiting: Vec<(Moment, Item)>,
    /// Accounts in `asked` and `waiting`.
    pending: usize,
    last_request: u64,
    scan_at: Option<Moment>,
    /// Only for the planted bug.
    nobody_until: BTreeMap<AccountId, Moment>,
}

impl Delivery {
    /// Nothing to deliver yet.
    #[must_use]
    pub fn new(config: Config, view: Arc<View>) -> Self {
        Self {
            config,
            view,
            asked: BTreeMap::new(),
            waiting: Vec::new(),
            pending: 0,
            last_request: 0,
            scan_at: None,
            nobody_until: BTreeMap::new(),
        }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Committed(all) => self.committed(now, all, effects),
            Event::Answered { request, lookups } => self.answered(now, request, lookups, effects),
            Event::AskFailed { request } => {
                if let Some(asked) = self.asked.remove(&request) {
                    self.again(now, asked.items);
                }
            }
            Event::ViewChanged(view) => {
                self.view = view;
                // Whoever was asked may be gone or no owner any more.
                let gone: Vec<Asked> = self
                    .asked
                    .extract_if(.., |_, asked| !self.view.contains(&asked.to))
                    .map(|(_, asked)| asked)
                    .collect();
                for asked in gone {
                    self.ask(now, asked.items, effects);
                }
            }
            Event::Timer => self.timer(now, effects),
        }
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.scan_at
    }

    /// Accounts whose whereabouts are not known yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    fn committed(&mut self, now: Moment, all: Vec<Committed>, effects: &mut Vec<Effect>) {
        let mut items = Vec::new();
        for committed in all {
            if !committed.erased.is_empty() {
                self.erase(&committed);
            }
            let committed = Arc::new(committed);
            for account in committed.members.iter().chain(&committed.others) {
                if self.pending < self.config.max_pending && !self.believed_absent(now, account) {
                    self.pending += 1;
                    let committed = committed.clone();
                    items.push(Item {
                        account: account.clone(),
                        committed,
                        asks: 0,
                        served: Vec::new(),
                    });
                }
            }
        }
        self.ask(now, items, effects);
    }

    /// What has been taken back must not reach somebody who is found only now.
    fn erase(&mut self, by: &Committed) {
        let asked = self.asked.values_mut().flat_map(|asked| &mut asked.items);
        let waiting = self.waiting.iter_mut().map(|(_, item)| item);
        // Items of one commit share it, and go on sharing.
        let mut last: Option<(Arc<Committed>, Arc<Committed>)> = None;
        for item in asked.chain(waiting) {
            if let Some((before, after)) = &last
                && Arc::ptr_eq(before, &item.committed)
            {
                item.committed = after.clone();
                continue;
            }
            let holds = item.committed.conversation == by.conversation
                && item
                    .committed
                    .entries
                    .iter()
                    .any(|(entry, _)| by.erased.contains(&entry.seq));
            if !holds {
                continue;
            }
            let before = item.committed.clone();
            let committed = Arc::make_mut(&mut item.committed);
            for (entry, _) in &mut committed.entries {
                if by.erased.contains(&entry.seq) {
                    *entry = Arc::new(entry.erased());
                }
            }
            last = Some((before, item.committed.clone()));
        }
    }

    /// One question per owner.
    fn ask(&mut self, now: Moment, items: Vec<Item>, effects: &mut Vec<Effect>) {
        let mut by_owner: BTreeMap<NodeName, Vec<Item>> = BTreeMap::new();
        let mut ownerless = Vec::new();
        for item in items {
            match self.owner_of(&item.account) {
                Some(owner) => by_owner.entry(owner).or_default().push(item),
                None => ownerless.push(item),
            }
        }
        self.again(now, ownerless);
        for (to, mut items) in by_owner {
            // Stable: the entries of one conversation stay in order.
            items.sort_by(|a, b| a.account.cmp(&b.account));
            while !items.is_empty() {
                let later = items.split_off(self.one_question(&items));
                self.ask_one(now, to.clone(), items, effects);
                items = later;
            }
        }
    }

    /// How many of the items, in the order of their accounts, go into one question: never some of an account only.
    fn one_question(&self, items: &[Item]) -> usize {
        let mut accounts = 0;
        for (place, item) in items.iter().enumerate() {
            let is_new = place == 0 || items[place - 1].account != item.account;
            if is_new && accounts == self.config.max_accounts_per_ask {
                return place;
            }
            accounts += usize::from(is_new);
        }
        items.len()
    }

    fn ask_one(&mut self, now: Moment, to: NodeName, items: Vec<Item>, effects: &mut Vec<Effect>) {
        self.last_request += 1;
        let request = self.last_request;
        let mut accounts: Vec<AccountId> = items.iter().map(|item| item.account.clone()).collect();
        accounts.dedup();
        let until = now.plus_ms(self.config.ask_timeout_ms);
        self.schedule(until);
        let view = self.view.hash();
        effects.push(Effect::Ask {
            to: to.clone(),
            request,
            view,
            accounts: accounts.clone(),
        });
        self.asked.insert(
            request,
            Asked {
                to,
                until,
                accounts,
                items,
            },
        );
    }

    fn owner_of(&self, account: &AccountId) -> Option<NodeName> {
        let owners = placement::shard_owners_of(account, &self.view);
        if self.config.mutations.ask_other_replica() {
            return owners.follower.or(owners.primary).cloned();
        }
        owners.primary.cloned()
    }

    fn answered(&mut self, now: Moment, request: u64, lookups: Vec<Lookup>, effects: &mut Vec<Effect>) {
        let Some(asked) = self.asked.remove(&request) else {
            return;
        };
        let mut sends: BTreeMap<NodeName, Vec<Push>> = BTreeMap::new();
        let mut unknown = Vec::new();
        // Items and accounts have one order. A large room has very many of both.
        let mut answers = asked.accounts.iter().zip(&lookups).peekable();
        for mut item in asked.items {
            while answers
                .next_if(|(account, _)| **account != item.account)
                .is_some()
            {}
            let (entries, certain): (&[SessionEntry], bool) = match answers.peek() {
                Some((_, Lookup::Found(entries))) => (entries, true),
                Some((_, Lookup::Nobody)) => (&[], true),
                Some((_, Lookup::Unknown { seen })) => (seen, self.config.mutations.ask_other_replica()),
                None => (&[], self.config.mutations.ask_other_replica()),
            };
            if certain && entries.is_empty() && self.config.mutations.cache_nobody() {
                self.nobody_until
                    .insert(item.account.clone(), now.plus_ms(NOBODY_CACHE_MS));
            }
            self.send(&mut item, entries, &mut sends);
            if certain {
                self.pending -= 1;
            } else {
                unknown.push(item);
            }
        }
        effects.extend(sends.into_iter().map(|(to, pushes)| Effect::Send { to, pushes }));
        self.again(now, unknown);
    }

    /// Collects what an account's sessions get.
    fn send(&self, item: &mut Item, sessions: &[SessionEntry], sends: &mut BTreeMap<NodeName, Vec<Push>>) {
        let committed = &item.committed;
        for entry in sessions {
            let own = |origin: &SessionId| *origin == entry.session;
            let only_own = committed.entries.iter().all(|(_, origin)| own(origin));
            // Entries of nodes outside the view count as absent; the session's own are told by their answer.
            if only_own || item.served.contains(&entry.session) || !self.view.contains(&entry.node) {
                continue;
            }
            item.served.push(entry.session);
            let class = match self.config.mutations.ignore_cursor_sets() {
                true => entry.class,
                false => self.config.cursor_sets.of(entry.class),
            };
            let cursor = (!committed.cursors.is_empty())
                .then(|| starting_cursor(&committed.cursors, &item.account, class));
            sends.entry(entry.node.clone()).or_default().push(Push {
                session: entry.session,
                conversation: committed.conversation,
                entries: committed.entries.iter().map(|(entry, _)| entry.clone()).collect(),
                cursor,
            });
        }
    }

    /// Asks again a little later, a bounded number of times.
    fn again(&mut self, now: Moment, items: Vec<Item>) {
        for mut item in items {
            item.asks += 1;
            if item.asks >= self.config.max_asks {
                self.pending -= 1;
                continue;
            }
            let doubled = self
                .config
                .retry_min_ms
                .saturating_mul(1 << (item.asks - 1).min(16));
            let due = now.plus_ms(doubled.min(self.config.retry_max_ms));
            self.schedule(due);
            self.waiting.push((due, item));
        }
    }

    fn timer(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.scan_at.is_none_or(|at| at > now) {
            return;
        }
        self.scan_at = None;
        let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.waiting = waiting;
        let late: Vec<Asked> = self
            .asked
            .extract_if(.., |_, asked| asked.until <= now)
            .map(|(_, asked)| asked)
            .collect();
        for asked in late {
            self.again(now, asked.items);
        }
        self.ask(now, due.into_iter().map(|(_, item)| item).collect(), effects);
        let next_wait = self.waiting.iter().map(|(at, _)| *at).min();
        let next_ask = self.asked.values().map(|asked| asked.until).min();
        self.scan_at = earliest(next_wait, next_ask);
    }

    fn believed_absent(&self, now: Moment, account: &AccountId) -> bool {
        self.nobody_until.get(account).is_some_and(|until| *until > now)
    }

    fn schedule(&mut self, at: Moment) {
        self.scan_at = earliest(self.scan_at, Some(at));
    }
}
