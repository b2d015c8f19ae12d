// Package control is how the person who looks after the box reaches the
// daemon: HTTP with JSON over a unix socket, server and client. It answers
// from the first moment of the daemon's start, while the store is sealed or
// being opened too; status then says so and why.
//
// Who may speak: the socket is mode 0600 in the daemon's own directory, and
// each connection's peer is asked of the kernel (SO_PEERCRED): root, or the
// user that the daemon runs as. Everyone else is told so and logged. What is
// asked is done as an agent with the role IT from the console; the policy
// decides on that agent as on any other, and the audit trail names it. At most
// 32 connections are open at a time, and one that asks nothing is closed after
// five seconds.
//
// The protocol, version 1:
//
//	GET  /v1/status  ops.Status
//	GET  /v1/doctor  ops.Diagnosis
//	POST /v1/verify  ops.Verification
//
// An answer other than 200 carries Refusal. Nothing that goes over the socket
// identifies a client or tells an amount.
package control
