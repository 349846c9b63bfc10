# shellcheck shell=bash
# An OpenTelemetry collector beside the cluster: OTLP in at $HOST_IP, JSON lines out, one per batch.

collector() {
  require_running
  write_collector_config
  if ! is_started collector; then
    start collector "$BIN/collector" --config "$STATE/collector.yaml"
    wait_for collector inside bash -c ": >/dev/tcp/$HOST_IP/$OTLP_GRPC_PORT"
  fi
  echo "http://$HOST_IP:$OTLP_GRPC_PORT"
}

write_collector_config() {
  cat >"$STATE/collector.yaml" <<Y
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "$HOST_IP:$OTLP_GRPC_PORT"}
      http: {endpoint: "$HOST_IP:$OTLP_HTTP_PORT"}
processors:
  batch: {timeout: 200ms}
exporters:
  file: {path: "$SPANS", flush_interval: 200ms}
  prometheus: {endpoint: "$HOST_IP:$COLLECTOR_METRICS_PORT"}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [file]}
    metrics: {receivers: [otlp], processors: [batch], exporters: [file, prometheus]}
    logs: {receivers: [otlp], processors: [batch], exporters: [file]}
Y
}
