package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"coffer/internal/access"
	"coffer/internal/civil"
)

// ClinicName is the sample clinic's name. Clinic, staff and clients are made
// up; telephone numbers are of the range 555-01xx, which is kept for fiction.
const ClinicName = "Harbor Lane Counseling"

// person is one member of the sample staff.
type person struct {
	signIn, name string
	role         access.Role
}

var staff = []person{
	{"desk", "Noor Haddad", access.FrontDesk},
	{"desk2", "Pilar Osei", access.FrontDesk},
	{"rivera", "Dr. Inés Rivera", access.Therapist},
	{"okafor", "Dr. Chidi Okafor", access.Therapist},
	{"lindqvist", "Maja Lindqvist, LCSW", access.Therapist},
	{"tran", "Dr. Linh Tran", access.Therapist},
	{"becker", "Jonas Becker, LMFT", access.Therapist},
	{"books", "Theodora Vance", access.Accountant},
	{"box", "Sam Whitlock", access.IT},
	{"owner", "Dr. Marguerite Ashdown", access.Owner},
	{"privacy", "Ravi Menon", access.Officer},
}

// samplePassword signs in everybody of the sample clinic.
const samplePassword = "blue heron at low tide"

// services are the codes of the fee list's template that clients come for.
var services = []string{"90834", "90837", "90832", "90847"}

// minutesOf is how long each of services is booked for.
var minutesOf = map[string]int{"90834": 45, "90837": 60, "90832": 30, "90847": 50}

const clientCount = 120

var givenNames = []string{
	"Abena", "Aditi", "Agnes", "Alma", "Anouk", "Arlo", "Beatriz", "Benedikt", "Bashir", "Callum", "Camila", "Cyrus",
	"Dagny", "Delphine", "Dmitri", "Ebele", "Eleanor", "Émile", "Farah", "Fiona", "Gideon", "Greta", "Hana", "Håkon",
	"Idris", "Ingrid", "Ivo", "Jasper", "José", "Jun", "Kamala", "Keanu", "Leila", "Łucja", "Magnus", "Marisol",
	"Nadia", "Nguyễn", "Odette", "Orson", "Priya", "Quentin", "Rosalind", "Ruth", "Saoirse", "Søren", "Tamsin", "Zoë",
}

var familyNames = []string{
	"Abernathy", "Aguilar", "Andersson", "Bakare", "Bellweather", "Brzezicki", "Castellanos", "Chaudhry", "Corrigan",
	"Dąbrowski", "Delacroix", "Eastman", "Ekström", "Farrow", "Featherstone", "Fukuda", "Galloway", "Grimaldi",
	"Hollister", "Hwang", "Ibarra", "Jankowski", "Kowalczyk", "Lanternier", "Löwe", "Marchetti", "Mbeki", "Nakagawa",
	"O’Dowd", "Ostrowski", "Pemberton", "Quiñones", "Rasmussen", "Sandoval", "Szabó", "Thackeray", "Umeh", "Vasquez",
	"Wainwright", "Yilmaz", "Zieliński",
}

// habit is how a sample client pays.
type habit uint8

const (
	paysByCard habit = iota
	paysCash
	paysEveryThird
	paysLate
)

// sampleClient is a client before the roster knows it.
type sampleClient struct {
	name, phone, email, born string
	therapist                string // sign-in name
	service                  int    // index into services
	slidingBasisPoints       uint16 // reduction of the fee
	habit                    habit
}

// sampleClients returns the clinic's clients, the same for the same seed, no
// name twice.
func sampleClients(seed uint64) []sampleClient {
	r := rand.New(rand.NewPCG(seed, 1))
	taken := map[string]bool{}
	clients := make([]sampleClient, 0, clientCount)
	for len(clients) < clientCount {
		name := givenNames[r.IntN(len(givenNames))] + " " + familyNames[r.IntN(len(familyNames))]
		if taken[name] {
			continue
		}
		taken[name] = true
		n := len(clients)
		c := sampleClient{
			name:      name,
			phone:     fmt.Sprintf("(207) 555-01%02d", n%100),
			email:     fmt.Sprintf("client%03d@mail.example", n),
			born:      civil.New(1945+r.IntN(63), time.Month(1+r.IntN(12)), 1+r.IntN(28)).String(),
			therapist: therapistOf(n),
			service:   r.IntN(len(services)),
			habit:     habitOf(r.IntN(10)),
		}
		if r.IntN(7) == 0 {
			c.slidingBasisPoints = 2000 + 1000*uint16(r.IntN(4))
		}
		clients = append(clients, c)
	}
	return clients
}

func habitOf(draw int) habit {
	switch {
	case draw < 6:
		return paysByCard
	case draw < 7:
		return paysCash
	case draw < 9:
		return paysEveryThird
	}
	return paysLate
}

// therapists returns the sign-in names of the sample therapists, in order.
func therapists() []string {
	var names []string
	for _, p := range staff {
		if p.role == access.Therapist {
			names = append(names, p.signIn)
		}
	}
	return names
}

func therapistOf(client int) string {
	all := therapists()
	return all[client%len(all)]
}

// slot is one appointment of a sample day.
type slot struct {
	client  int // index into sampleClients
	start   time.Duration
	minutes int
}

// startTimes are the hours at which sessions of the sample clinic begin.
var startTimes = []time.Duration{9 * time.Hour, 10 * time.Hour, 11 * time.Hour, 13 * time.Hour, 14 * time.Hour, 15*time.Hour + 30*time.Minute}

// slotsOn returns a day's appointments: each therapist sees own clients in
// turn, with a gap now and then. A week-end has none.
func slotsOn(seed uint64, clients []sampleClient, day civil.Date, always bool) []slot {
	if wd := day.Weekday(); !always && (wd == time.Saturday || wd == time.Sunday) {
		return nil
	}
	r := rand.New(rand.NewPCG(seed, uint64(int64(day))))
	all := therapists()
	perTherapist := len(clients) / len(all)
	var slots []slot
	for i := range all {
		for j, start := range startTimes {
			if r.IntN(4) == 0 && !(always && j < 3) {
				continue
			}
			turn := (int(day)*len(startTimes) + j) % perTherapist
			client := turn*len(all) + i
			slots = append(slots, slot{client, start, minutesOf[services[clients[client].service]]})
		}
	}
	return slots
}

// byEnd returns the positions of slots in the order in which they end.
func byEnd(slots []slot) []int {
	order := make([]int, len(slots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(slots[a].start+time.Duration(slots[a].minutes)*time.Minute, slots[b].start+time.Duration(slots[b].minutes)*time.Minute)
	})
	return order
}
