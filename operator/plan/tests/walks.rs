//! Random walks: whatever is changed and whatever fails, once it stops the spec is reached, and then nothing is written.

mod model;

use model::{BAD_IMAGE, Model};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    Replicas(i32),
    Image(Option<&'static str>),
    Restart(u8),
    Kill(u8),
    Stop(u8),
    Evict(u8),
    LoseDsn(bool),
    OrphanWorkload,
    /// The operator dies after so many actions.
    Die(u8),
    Ticks(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let image = prop_oneof![Just(None), Just(Some("tim:2")), Just(Some(BAD_IMAGE))];
    let event = prop_oneof![
        3 => (0..6_i32).prop_map(Event::Replicas),
        3 => image.prop_map(Event::Image),
        1 => any::<u8>().prop_map(Event::Restart),
        2 => any::<u8>().prop_map(Event::Kill),
        1 => any::<u8>().prop_map(Event::Stop),
        1 => any::<u8>().prop_map(Event::Evict),
        1 => any::<bool>().prop_map(Event::LoseDsn),
        1 => Just(Event::OrphanWorkload),
        4 => (0..4_u8).prop_map(Event::Die),
        6 => (1..12_u8).prop_map(Event::Ticks),
    ];
    prop::collection::vec(event, 1..40)
}

fn happen(model: &mut Model, event: &Event) {
    model.log.push(format!("{} event {event:?}", model.now));
    match event {
        Event::Replicas(replicas) => model.edit(|spec| spec.replicas = *replicas),
        Event::Image(image) => model.edit(|spec| spec.image = image.map(str::to_owned)),
        Event::Restart(value) => {
            let annotations = model.cluster.metadata.annotations.get_or_insert_default();
            annotations.insert(tim_crds::labels::ANNOTATION_RESTART.into(), value.to_string());
        }
        Event::Kill(which) => with_node(model, *which, |node| {
            node.terminating = true;
            node.asked = false;
        }),
        Event::Evict(which) => with_node(model, *which, |node| {
            node.draining = true;
            node.terminating = true;
            node.asked = false;
        }),
        Event::Stop(which) => {
            let now = model.now;
            with_node(model, *which, |node| node.stopped = node.stopped.or(Some(now)));
        }
        Event::LoseDsn(lost) => model.missing_dsn = *lost,
        Event::OrphanWorkload => model.workload = None,
        Event::Die(after) => drop(model.tick(usize::from(*after))),
        Event::Ticks(count) => (0..*count).for_each(|_| drop(model.tick(usize::MAX))),
    }
}

fn with_node(model: &mut Model, which: u8, change: impl FnOnce(&mut model::ModelNode)) {
    let count = model.nodes.len();
    if count > 0 {
        change(&mut model.nodes[usize::from(which) % count]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_walk_ends_at_the_spec_and_then_writes_nothing(events in events()) {
        let mut model = Model::chat();
        for event in &events {
            happen(&mut model, event);
        }
        // The last word of the user is something that can work.
        model.missing_dsn = false;
        if model.cluster.spec.image.as_deref() == Some(BAD_IMAGE) {
            model.edit(|spec| spec.image = Some("tim:3".into()));
        }
        model.settle();
        // Conditions that wait for time (a node is starting) come to rest too; then an hour of nothing.
        for _ in 0..90 {
            model.tick(usize::MAX);
        }
        let status = model.cluster.status.clone();
        for _ in 0..60 {
            model.now += jiff::SignedDuration::from_mins(1);
            let plan = model.tick(usize::MAX);
            prop_assert!(plan.actions.is_empty(), "{:?}", plan.actions);
            prop_assert_eq!(Some(&plan.status), status.as_ref());
        }
        prop_assert!(model.storage_keys_made <= 1, "the storage key was made again");
    }
}
