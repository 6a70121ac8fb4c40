package predictionstore

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"tasador/pkg/property"
)

// Kinds of entries of the journal; the first byte of a payload. A kind is never changed: what must look otherwise gets another.
const (
	kindPredictions = 1
	kindFeedback    = 2
)

// Request is what the predictions of one request share.
type Request struct {
	ID           string
	PredictedAt  time.Time
	ModelName    string
	ModelVersion string
	ModelRunID   string
	First        int // place of the first item in the list that was sent
}

// AppendRequest begins the payload of a journal entry that n items follow, which AppendItem adds. The entry as a whole is recorded, or nothing of it.
func AppendRequest(dst []byte, r Request, n int) []byte {
	dst = append(dst, kindPredictions)
	dst = appendText(dst, r.ID)
	dst = appendTime(dst, r.PredictedAt)
	dst = appendText(dst, r.ModelName)
	dst = appendText(dst, r.ModelVersion)
	dst = appendText(dst, r.ModelRunID)
	dst = binary.AppendUvarint(dst, uint64(r.First))
	return binary.AppendUvarint(dst, uint64(n))
}

// AppendItem adds one prediction. Listing.Street is not recorded; street is, as it was asked.
func AppendItem(dst []byte, asOf time.Time, prediction float64, l *property.Listing, street property.Text) []byte {
	dst = appendTime(dst, asOf)
	dst = appendNumber(dst, prediction)
	for _, v := range [...]float64{l.BrokeredBy, l.Price, l.Bed, l.Bath, l.AcreLot, l.HouseSize} {
		dst = appendNumber(dst, v) // NaN is missing
	}
	for _, t := range [...]property.Text{l.Status, street, l.City, l.State, l.ZipCode, l.PrevSoldDate} {
		if dst = append(dst, 0); t.Valid {
			dst[len(dst)-1] = 1
			dst = appendText(dst, t.Value)
		}
	}
	return dst
}

// Feedback is the price that a house was sold for.
type Feedback struct {
	RequestID  string
	Item       int
	SalePrice  float64 // dollars
	SoldAt     property.Text
	ReceivedAt time.Time
}

// AppendFeedback makes the payload of a journal entry.
func AppendFeedback(dst []byte, f Feedback) []byte {
	dst = append(dst, kindFeedback)
	dst = appendText(dst, f.RequestID)
	dst = binary.AppendUvarint(dst, uint64(f.Item))
	dst = appendNumber(dst, f.SalePrice)
	if dst = append(dst, 0); f.SoldAt.Valid {
		dst[len(dst)-1] = 1
		dst = appendText(dst, f.SoldAt.Value)
	}
	return appendTime(dst, f.ReceivedAt)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendNumber(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

// appendTime keeps microseconds, as the table does.
func appendTime(dst []byte, t time.Time) []byte {
	return binary.AppendVarint(dst, t.UnixMicro())
}

// errEntry says that a payload is none that this version wrote.
var errEntry = errors.New("the entry is not one that this version knows")

// entry reads a payload; after the first fault it gives zeros.
type entry struct {
	rest []byte
	bad  bool
}

func (e *entry) fail() { e.rest, e.bad = nil, true }

func (e *entry) uint() uint64 {
	v, n := binary.Uvarint(e.rest)
	if n <= 0 {
		e.fail()
		return 0
	}
	e.rest = e.rest[n:]
	return v
}

// place reads the place of an item.
func (e *entry) place() int {
	v := e.uint()
	if v > math.MaxInt32 {
		e.fail()
		return 0
	}
	return int(v)
}

func (e *entry) text() string {
	n := e.uint()
	if n > uint64(len(e.rest)) {
		e.fail()
		return ""
	}
	s := string(e.rest[:n])
	e.rest = e.rest[n:]
	return s
}

func (e *entry) optional() property.Text {
	if len(e.rest) == 0 || e.rest[0] > 1 {
		e.fail()
		return property.Text{}
	}
	valid := e.rest[0] == 1
	if e.rest = e.rest[1:]; !valid {
		return property.Text{}
	}
	return property.NewText(e.text())
}

func (e *entry) number() float64 {
	if len(e.rest) < 8 {
		e.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(e.rest))
	e.rest = e.rest[8:]
	return v
}

func (e *entry) time() time.Time {
	v, n := binary.Varint(e.rest)
	if n <= 0 {
		e.fail()
		return time.Time{}
	}
	e.rest = e.rest[n:]
	return time.UnixMicro(v).UTC()
}

// decode reads a payload: predictions or a feedback.
func decode(payload []byte) (records []Record, feedback *Feedback, err error) {
	if len(payload) == 0 {
		return nil, nil, errEntry
	}
	e := &entry{rest: payload[1:]}
	switch payload[0] {
	case kindPredictions:
		records = e.predictions()
	case kindFeedback:
		feedback = &Feedback{RequestID: e.text(), Item: e.place(), SalePrice: e.number(), SoldAt: e.optional(), ReceivedAt: e.time()}
	default:
		e.bad = true
	}
	if e.bad || len(e.rest) > 0 {
		return nil, nil, errEntry
	}
	return records, feedback, nil
}

func (e *entry) predictions() []Record {
	r := Record{RequestID: e.text(), PredictedAt: e.time(), ModelName: e.text(), ModelVersion: e.text(), ModelRunID: e.text()}
	first, n := e.place(), e.place()
	var records []Record
	for i := 0; i < n && !e.bad; i++ {
		r.Item = first + i
		r.AsOf, r.Prediction = e.time(), e.number()
		l := property.Listing{Street: property.Null()}
		for _, v := range [...]*float64{&l.BrokeredBy, &l.Price, &l.Bed, &l.Bath, &l.AcreLot, &l.HouseSize} {
			*v = e.number()
		}
		for _, t := range [...]*property.Text{&l.Status, &r.Street, &l.City, &l.State, &l.ZipCode, &l.PrevSoldDate} {
			*t = e.optional()
		}
		r.Listing = l
		records = append(records, r)
	}
	return records
}
