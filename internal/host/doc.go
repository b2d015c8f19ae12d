// Package host is the machine that the daemon runs on: the service manager it
// answers to, the sockets it was given, its own confinement, and the facts of
// disk, clock, firmware and network that IT may see. It is the only home of
// go-systemd. It reads /proc and /sys and writes only to the notify socket;
// nothing it returns tells of a client.
//
// The service manager is told READY when the caller says so, and the watchdog
// is fed only while the caller's health check succeeds: a daemon whose vault
// cannot commit is restarted, not kept looking alive. Without a service
// manager (no NOTIFY_SOCKET) all of it does nothing.
//
// Trusted: the kernel, /proc, /sys, and the environment that the service
// manager sets.
package host
