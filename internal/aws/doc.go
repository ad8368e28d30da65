// Package aws speaks to the few AWS services that narthex needs, with nothing
// but the standard library: S3, SQS, DynamoDB, STS, what secrets are kept in (SSM's
// parameters, Secrets Manager), and any other service through a transport that signs (Amazon Managed Prometheus is "aps").
//
//	s, err := aws.Open(aws.Options{})      // region, endpoints and credentials as the environment has them
//	s3 := s.S3()
//	o, err := s3.Get(ctx, "bucket", "key", aws.GetOptions{})
//	if errors.Is(err, aws.ErrNotFound) { ... }
//	hc := &http.Client{Transport: s.Transport("aps", nil)}
//
// # Credentials
//
// They are looked for as the SDKs do, the first place that is there counting:
//
//  1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN;
//  2. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN;
//  3. the profile AWS_PROFILE ("default") of ~/.aws/credentials and
//     ~/.aws/config: keys, or role_arn with source_profile, credential_source
//     or web_identity_token_file;
//  4. the container's endpoint, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or
//     AWS_CONTAINER_CREDENTIALS_FULL_URI;
//  5. the machine's role, through IMDSv2.
//
// A profile chosen in [Options] comes before all of these. [Options].RoleARN
// is a role to be assumed with what was found. A profile that
// needs a browser, a program or a code (sso_session, credential_process,
// mfa_serial) is refused with a sentence that says how to get keys from it.
//
// They are kept until five minutes before they end, renewed once for all who
// wait, and used to their end while a renewal fails.
//
// # Requests
//
// A request is tried again on 5xx, 429, throttling and network faults, with
// full jitter, and never beyond the deadline of its context. A clock that is
// off by more than four minutes is noticed by the answer's Date and corrected.
// All errors of the services are of type [*Error]. No secret is part of one,
// and none of the types here prints its secrets.
//
// A bucket is part of the host at AWS, and of the path with an endpoint of
// one's own (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, endpoint_url) or where its
// name has a dot.
package aws
