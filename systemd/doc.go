// Package systemd holds the units of a box and the test that keeps them valid
// and tight: cofferd.service and cofferd.socket go to /usr/lib/systemd/system,
// sysusers.d and tmpfiles.d to /usr/lib. Debian's package tpm-udev gives the
// group tss its right to /dev/tpmrm0.
//
// What the unit leaves open, and why: serial devices and the TPM
// (PrivateDevices), since that is the daemon's work; the network, since it
// serves the clinic's browsers, but only private addresses (IPAddressAllow);
// supplementary groups, which carry the rights to those devices; the system's
// own user and mount namespaces (PrivateUsers, PrivateMounts) because device
// groups must keep their meaning. Everything else that systemd 252 can take
// away is taken away.
package systemd
