package accesslog

import "strings"

// A dialect says what the columns or keys of a format stand for, by the names
// that targetOf knows. A name that is there with "" is known and not needed.
type dialect map[string]string

// also adds names that are known and not needed.
func (d dialect) also(names string) dialect {
	for n := range strings.FieldsSeq(names) {
		if _, ok := d[n]; !ok {
			d[n] = ""
		}
	}
	return d
}

// cloudFront are the columns of CloudFront's standard logs (v1 and v2) and of
// its real-time logs. Sources: "Standard logging reference" and "Use real-time
// access logs" of the Amazon CloudFront Developer Guide.
func cloudFront() dialect {
	return dialect{
		"date": "date", "time": "clock", "timestamp": "time", "timestamp(ms)": "time",
		"sc-status": "status", "cs-method": "method", "cs-uri-stem": "url", "cs-uri-query": "query",
		"x-host-header": "host", "cs-host": "host", "cs(Host)": "second_host",
		"x-edge-location": "edge", "x-edge-result-type": "cache", "x-edge-detailed-result-type": "error",
		"sc-bytes": "response_bytes", "cs-bytes": "request_bytes",
		"time-taken": "duration", "time-to-first-byte": "ttfb", "origin-lbl": "upstream", "origin-fbl": "upstream_ttfb",
		"cs-protocol": "scheme", "cs-protocol-version": "protocol", "ssl-protocol": "tls", "c-country": "country",
		"cache-behavior-path-pattern": "behavior", "cs-headers": "headers",
	}.also(`
		c-ip cs(Referer) cs(User-Agent) cs(Cookie) x-edge-request-id x-forwarded-for ssl-cipher
		x-edge-response-result-type fle-status fle-encrypted-fields c-port sc-content-type sc-content-len
		sc-range-start sc-range-end asn DistributionId c-ip-version cs-user-agent cs-referer cs-cookie
		cs-accept-encoding cs-accept cs-header-names cs-headers-count primary-distribution-id
		primary-distribution-dns-name s-ip r-host sr-reason x-edge-mqcs distribution-tenant-id connection-id
		cmcd-encoded-bitrate cmcd-buffer-length cmcd-buffer-starvation cmcd-content-id cmcd-object-duration
		cmcd-deadline cmcd-measured-throughput cmcd-next-object-request cmcd-next-range-request cmcd-object-type
		cmcd-playback-rate cmcd-requested-maximum-throughput cmcd-streaming-format cmcd-session-id
		cmcd-stream-type cmcd-startup cmcd-top-bitrate cmcd-version`)
}

// apiGateway are the keys that access logs of API Gateway usually have. The
// names are those of its variables, $context.….
func apiGateway() dialect {
	return dialect{
		"status": "status", "httpMethod": "method", "path": "url", "resourcePath": "route", "routeKey": "route_key",
		"responseLatency": "duration_ms", "integrationLatency": "upstream_ms",
		"responseLength": "response_bytes", "requestTime": "time", "requestTimeEpoch": "time",
		"domainName": "host", "protocol": "protocol", "function": "",
	}.also(`
		accountId apiId stage requestId extendedRequestId ip caller user userAgent sourceIp domainPrefix
		integrationStatus integrationRequestId integrationError integrationErrorMessage error errorMessage
		errorResponseType errorMessageString authorizerError authorizerStatus authorizerLatency
		authorizerRequestId authorizerIntegrationLatency authorizerIntegrationStatus authorizerPrincipalId
		authorizeError authorizeLatency authorizeStatus authenticateError authenticateLatency authenticateStatus
		awsEndpointRequestId resourceId validationErrorString wafError wafLatency wafStatus wafResponseCode
		webaclArn xrayTraceId dataProcessed identity authorizer`)
}

// nginx are nginx's variables as keys of JSON lines, and what other servers
// call the same.
func nginx() dialect {
	return dialect{
		"time_iso8601": "time", "time_local": "time", "msec": "time", "time": "time", "@timestamp": "time", "timestamp": "time", "ts": "time",
		"status": "status", "request_method": "method", "method": "method", "request_uri": "url", "uri": "url", "path": "url", "url": "url",
		"request": "request", "args": "query", "query_string": "query", "host": "host", "http_host": "host", "server_name": "second_host",
		"bytes_sent": "response_bytes", "body_bytes_sent": "response_bytes", "request_length": "request_bytes",
		"request_time": "duration", "upstream_response_time": "upstream", "upstream_header_time": "upstream_ttfb",
		"upstream_cache_status": "cache", "server_protocol": "protocol", "scheme": "scheme", "ssl_protocol": "tls",
	}.also(`
		remote_addr remote_user http_referer http_user_agent http_x_forwarded_for request_id ssl_cipher
		upstream_addr upstream_status upstream_connect_time connection connection_requests pipe server_port`)
}

// lambdaReport are the keys of Lambda's platform.report events (Telemetry API
// schema, and the JSON log format), by path.
func lambdaReport() dialect {
	return dialect{
		"time": "time", "type": "kind", "record.status": "result",
		"record.metrics.durationMs": "execution_ms", "record.metrics.billedDurationMs": "billed_ms",
		"record.metrics.initDurationMs": "init_ms", "record.metrics.maxMemoryUsedMB": "memory_mb",
	}.also("record.requestId record.metrics.memorySizeMB record.tracing record.spans record.errorType record.metrics.restoreDurationMs record.metrics.billedRestoreDurationMs")
}

// A positional format has its columns in a fixed order. What is behind the last
// one known is let be.
type positional struct {
	name    string
	unit    measure
	columns []string // "name" or "name=target"
}

// alb has the columns of "Access log entries" of the Application Load Balancer
// guide, with the four of 2025 and 2026.
func alb() positional {
	return positional{"alb", measureRequests, []string{
		"type=scheme", "time=time", "elb", "client:port", "target:port", "request_processing_time=part",
		"target_processing_time=part_upstream", "response_processing_time=part", "elb_status_code=status", "target_status_code",
		"received_bytes=request_bytes", "sent_bytes=response_bytes", "request=request", "user_agent", "ssl_cipher", "ssl_protocol=tls",
		"target_group_arn", "trace_id", "domain_name", "chosen_cert_arn", "matched_rule_priority", "request_creation_time",
		"actions_executed", "redirect_url", "error_reason=error", "target:port_list", "target_status_code_list", "classification",
		"classification_reason", "conn_trace_id", "transformed_host", "transformed_uri", "request_transform_status", "alb_node_ip",
	}}
}

// elb is the Classic Load Balancer's log.
func elb() positional {
	return positional{"elb", measureRequests, []string{
		"time=time", "elb", "client:port", "backend:port", "request_processing_time=part", "backend_processing_time=part_upstream",
		"response_processing_time=part", "elb_status_code=status", "backend_status_code", "received_bytes=request_bytes",
		"sent_bytes=response_bytes", "request=request", "user_agent", "ssl_cipher", "ssl_protocol=tls",
	}}
}

// nlb is the Network Load Balancer's log of TLS connections.
func nlb() positional {
	return positional{"nlb", measureConnections, []string{
		"type=scheme", "version", "time=time", "elb", "listener", "client:port", "destination:port", "connection_time=connection_duration_ms",
		"tls_handshake_time", "received_bytes=connection_received_bytes", "sent_bytes=connection_sent_bytes", "incoming_tls_alert=error",
		"chosen_cert_arn", "chosen_cert_serial", "tls_cipher", "tls_protocol_version=tls", "tls_named_group", "domain_name=host",
		"alpn_fe_protocol=protocol", "alpn_be_protocol", "alpn_client_preference_list", "tls_connection_creation_time",
	}}
}

// s3 is S3's server access log ("Amazon S3 server access log format"). The bucket
// stands for the host: the Host header is behind the user agent, whose quotes S3
// does not escape, so that clients could shift what follows.
func s3() positional {
	return positional{"s3", measureRequests, []string{
		"bucket_owner", "bucket=host", "time=time", "remote_ip", "requester", "request_id", "operation=operation", "key",
		"request_uri=request", "status=status", "error_code=error", "bytes_sent=response_bytes", "object_size",
		"total_time=duration_ms", "turn_around_time=ttfb_ms", "referer", "user_agent", "version_id", "host_id",
		"signature_version", "cipher_suite", "authentication_type", "host_header", "tls_version=tls",
		"access_point_arn", "acl_required", "source_region",
	}}
}
