// Package schedule knows who meets whom, when and where, and which of these
// meetings took place.
//
// An Appointment is a plan: a client, a therapist, a room or none, an instant
// and a number of minutes. It is booked, then arrived (the client is at the
// desk), then held; or nobody came, or it was cancelled. An Encounter is the
// session that was held. Closing an appointment makes exactly one encounter,
// however often it is asked for, and that is what a charge is made from
// (internal/billing, in the same transaction).
//
// It promises that no therapist and no room is booked twice for one instant,
// and that the day list touches the rows of that day only. The day list holds
// what the desk needs and no more (45 CFR 164.502(b)): time, name and account
// number, therapist, room, state, and the service as a neutral code.
//
// On disk: the buckets of rooms, appointments and encounters, through the
// vault. Instants are kept in seconds; days are days of the clinic's zone,
// which is the zone of the vault's clock. Trusted: the vault, for deciding
// each request; Related is the relation that it asks about therapists.
package schedule
