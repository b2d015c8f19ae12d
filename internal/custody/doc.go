// Package custody is the register of the clinic's point-of-interaction devices
// (card terminals): where each is, who had it, when it was inspected and what
// software it states (PCI DSS 4.0.1, 9.5.1.1 to 9.5.1.2.1; P2PE Instruction
// Manual, section 3).
//
// It promises that a card terminal is used only where it is registered:
// Judge compares, at each attach and again in the transaction that begins a
// payment, what a terminal says of itself with the device that is deployed at
// its connection. Another serial number or model is a possible substitution; a
// connection without a device waits until IT has paired one with the label in
// hand; a failed inspection bars the device until a better one; versions that
// nobody accepted, and an inspection that is overdue, bar it where the clinic's
// policy says so.
//
// On disk, through the vault, are the devices, a custody log and inspections
// that are only ever added to, the photos of inspections, and every policy that
// was in force. Photos are decoded and encoded anew, so that they carry no
// metadata and nothing that was hidden in a file.
//
// Trusted: people for what they read off a label and see at a device. Not
// trusted: what a terminal says of itself beyond that it says so (a good copy
// says the same), and the bytes of a photo.
package custody
