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
// Each question leaves an event in the audit trail, whatever became of it:
// allowed, denied, refused, not understood, or turned away at the socket. Only
// while the store is shut there is no trail; package ops remembers then who
// tried to open it.
//
// The protocol, version 1, are the questions of Server.routes, such as GET
// /v1/status for ops.Status and POST /v1/verify for ops.Verification. An answer
// other than 200 carries Refusal. Nothing that goes over the socket
// identifies a client or tells an amount.
package control
