//! One process, one subscriber: what `/metrics` prints, and that a collector which is down holds nothing up.

use std::time::Duration;
use tim_telemetry::{Kind, Settings, Span, attribute, counter, histogram, names, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_printed_and_a_dead_collector_does_not_hold_the_end_up() {
    let settings = Settings {
        service_instance_id: String::from("chat-0"),
        // Nobody listens on the discard port.
        otlp_endpoint: String::from("http://127.0.0.1:9"),
        trace_ratio: 1.0,
        ..Settings::new("tim-node", "0.0.0")
    };
    let telemetry = start(&settings).unwrap();
    counter(&names::MESSAGE_ACCEPTED).add(3, &[attribute(&names::MESSAGING_DESTINATION_TEMPLATE, "direct")]);
    histogram(&names::MESSAGE_ACK_DURATION).record(0.004, &[]);
    // Many times more spans than the queue holds: they are dropped, none waits.
    for _ in 0..20_000 {
        let root = Span::root(&names::FRAME_MESSAGE, Kind::Server);
        assert!(root.is_recording());
        Span::child(&names::HOME_APPEND, Kind::Internal, root.context()).end();
    }
    let text = telemetry.prometheus_text();
    assert!(
        text.contains("tim_message_accepted_total{messaging_destination_template=\"direct\"} 3"),
        "{text}"
    );
    assert!(
        text.contains("tim_message_ack_duration_seconds_bucket{le=\"0.005\"} 1"),
        "{text}"
    );
    assert!(text.contains("service_instance_id=\"chat-0\""), "{text}");
    telemetry.shutdown(Duration::from_millis(500)).await;
}
