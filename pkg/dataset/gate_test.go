package dataset_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

// good is a listing that passes every check.
func good() property.Listing {
	return property.Listing{
		BrokeredBy: 1, Status: property.NewText("for_sale"), Price: 100_000, Bed: 3, Bath: 2, AcreLot: 0.12, Street: 1,
		City: property.NewText("Hartford"), State: property.NewText("Connecticut"), ZipCode: property.NewText("06103"),
		HouseSize: 920, PrevSoldDate: property.NewText("2019-05-01"),
	}
}

func profileOf(rows int, change func(i int, l *property.Listing)) *dataset.Profile {
	p := dataset.NewProfiler(nil)
	p.AddColumns(property.Columns()...)
	for i := range rows {
		l := good()
		change(i, &l)
		p.Add(&l)
	}
	return p.Profile()
}

func unchanged(int, *property.Listing) {}

func TestSizeOfABatchDecides(t *testing.T) {
	gate := dataset.Gate{MinNewRecords: 10_000}
	for rows, want := range map[int]dataset.Decision{
		0:      {Decision: "end_no_train", Reason: "0 new records"},
		1:      {Decision: "end_no_train", Reason: "1 nuevos ≤ 10000"},
		8_000:  {Decision: "end_no_train", Reason: "8000 nuevos ≤ 10000"},
		10_000: {Decision: "end_no_train", Reason: "10000 nuevos ≤ 10000"},
		10_001: {Train: true, Decision: "split_data", Reason: "10001 nuevos > 10000"},
		15_000: {Train: true, Decision: "split_data", Reason: "15000 nuevos > 10000"},
	} {
		require.Equal(t, want, gate.Decide(profileOf(rows, unchanged)), "%d rows", rows)
	}
}

// TestRangeOfEachColumn holds the rules of DESIGN §2 for one value in one of twenty rows: the reason that it gives, if any.
func TestRangeOfEachColumn(t *testing.T) {
	text := property.NewText
	for name, c := range map[string]struct {
		change func(l *property.Listing)
		reason string
	}{
		"price zero":            {func(l *property.Listing) { l.Price = 0 }, "Fuera de rango en: ['price'] (price: 1)"},
		"price negative":        {func(l *property.Listing) { l.Price = -5 }, "Fuera de rango en: ['price'] (price: 1)"},
		"price infinite":        {func(l *property.Listing) { l.Price = math.Inf(1) }, "Fuera de rango en: ['price'] (price: 1)"},
		"price null":            {func(l *property.Listing) { l.Price = property.Null() }, "Nulos en: ['price'] (price: 1)"},
		"bed zero":              {func(l *property.Listing) { l.Bed = 0 }, ""},
		"bed ten":               {func(l *property.Listing) { l.Bed = 10 }, ""},
		"bed eleven":            {func(l *property.Listing) { l.Bed = 11 }, "Fuera de rango en: ['bed'] (bed: 1)"},
		"bed not whole":         {func(l *property.Listing) { l.Bed = 2.5 }, "Fuera de rango en: ['bed'] (bed: 1)"},
		"bed negative":          {func(l *property.Listing) { l.Bed = -1 }, "Fuera de rango en: ['bed'] (bed: 1)"},
		"bath half":             {func(l *property.Listing) { l.Bath = 1.5 }, "Fuera de rango en: ['bath'] (bath: 1)"},
		"bath null":             {func(l *property.Listing) { l.Bath = property.Null() }, "Nulos en: ['bath'] (bath: 1)"},
		"acre_lot zero":         {func(l *property.Listing) { l.AcreLot = 0 }, "Fuera de rango en: ['acre_lot'] (acre_lot: 1)"},
		"acre_lot 1000":         {func(l *property.Listing) { l.AcreLot = 1000 }, ""},
		"acre_lot over 1000":    {func(l *property.Listing) { l.AcreLot = 1000.01 }, "Fuera de rango en: ['acre_lot'] (acre_lot: 1)"},
		"house_size zero":       {func(l *property.Listing) { l.HouseSize = 0 }, "Fuera de rango en: ['house_size'] (house_size: 1)"},
		"house_size null":       {func(l *property.Listing) { l.HouseSize = property.Null() }, "Nulos en: ['house_size'] (house_size: 1)"},
		"status sold":           {func(l *property.Listing) { l.Status = text("sold") }, ""},
		"status to_build":       {func(l *property.Listing) { l.Status = text("to_build") }, ""},
		"status ready_to_build": {func(l *property.Listing) { l.Status = text("ready_to_build") }, ""},
		"status in capitals":    {func(l *property.Listing) { l.Status = text("For_Sale") }, "Fuera de rango en: ['status'] (status: 1)"},
		"status with a space":   {func(l *property.Listing) { l.Status = text("for_sale ") }, "Fuera de rango en: ['status'] (status: 1)"},
		"status empty":          {func(l *property.Listing) { l.Status = text("") }, "Fuera de rango en: ['status'] (status: 1)"},
		"status null":           {func(l *property.Listing) { l.Status = property.Text{} }, "Nulos en: ['status'] (status: 1)"},
		"date and time":         {func(l *property.Listing) { l.PrevSoldDate = text("2019-05-01T10:00:00Z") }, ""},
		"date in words":         {func(l *property.Listing) { l.PrevSoldDate = text("May 2019") }, "Fuera de rango en: ['prev_sold_date'] (prev_sold_date: 1)"},
		"date of no month":      {func(l *property.Listing) { l.PrevSoldDate = text("2019-13-01") }, "Fuera de rango en: ['prev_sold_date'] (prev_sold_date: 1)"},
		"date empty":            {func(l *property.Listing) { l.PrevSoldDate = text("") }, "Fuera de rango en: ['prev_sold_date'] (prev_sold_date: 1)"},
		"date null":             {func(l *property.Listing) { l.PrevSoldDate = property.Text{} }, "Nulos en: ['prev_sold_date'] (prev_sold_date: 1)"},
		"optional column null":  {func(l *property.Listing) { l.City, l.Street = property.Text{}, property.Null() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := profileOf(20, func(i int, l *property.Listing) {
				if i == 7 {
					c.change(l)
				}
			})
			got := dataset.Gate{MinNewRecords: 10}.Decide(p)
			if c.reason == "" {
				require.Equal(t, dataset.Decision{Train: true, Decision: "split_data", Reason: "20 nuevos > 10"}, got)
				return
			}
			require.Equal(t, dataset.Decision{Decision: "end_no_train", Reason: c.reason}, got)
		})
	}
}

func TestMissingColumnIsNeverExcused(t *testing.T) {
	p := dataset.NewProfiler(nil)
	for range 20 {
		l := good()
		l.Bed = property.Null()
		p.Add(&l)
	}
	gate := dataset.Gate{MinNewRecords: 10, Nullable: []string{"bed"}, MaxInvalidRatio: 1}
	require.Equal(t, "Faltan columnas: ['bed']", gate.Decide(p.Profile()).Reason)
	require.False(t, gate.Decide(p.Profile()).Train)

	p.AddColumns("bed") // the column was there, with nulls only
	require.True(t, gate.Decide(p.Profile()).Train)
	require.Equal(t, "Nulos en: ['bed'] (bed: 20)", dataset.Gate{MinNewRecords: 10}.Decide(p.Profile()).Reason)
}

func TestSeveralReasonsAreJoined(t *testing.T) {
	p := dataset.NewProfiler(nil)
	p.AddColumns("status", "bed", "bath", "house_size", "prev_sold_date", "price")
	for i := range 12 {
		l := good()
		l.AcreLot = property.Null()
		if i < 5 {
			l.Bath = property.Null()
		}
		if i < 2 {
			l.Bed = property.Null()
		}
		if i > 9 {
			l.Price = 0
		}
		p.Add(&l)
	}
	require.Equal(t,
		"Faltan columnas: ['acre_lot'] & Nulos en: ['bed', 'bath'] (bed: 2, bath: 5) & Fuera de rango en: ['price'] (price: 2)",
		dataset.Gate{}.Decide(p.Profile()).Reason)
}

func TestNullableColumnsAndRatio(t *testing.T) {
	// Of 100 rows 30 have no bath, rows 0 to 3 have no price, rows 2 to 5 too many beds: 6 rows fail beside bath.
	p := profileOf(100, func(i int, l *property.Listing) {
		if i >= 70 {
			l.Bath = property.Null()
		}
		if i < 4 {
			l.Price = property.Null()
		}
		if i >= 2 && i < 6 {
			l.Bed = 40
		}
	})
	const both = "Nulos en: ['price'] (price: 4) & Fuera de rango en: ['bed'] (bed: 4)"
	for _, c := range []struct {
		nullable []string
		ratio    float64
		train    bool
		reason   string
	}{
		{nil, 0, false, "Nulos en: ['bath', 'price'] (bath: 30, price: 4) & Fuera de rango en: ['bed'] (bed: 4)"},
		{[]string{"bath"}, 0, false, both},
		{[]string{"bath"}, 0.05, false, both},
		{[]string{"bath"}, 0.06, true, "100 nuevos > 50"},
		{[]string{"bath", "price"}, 0.03, false, "Fuera de rango en: ['bed'] (bed: 4)"},
		{[]string{"bath", "price"}, 0.04, true, "100 nuevos > 50"},
		{nil, 0.36, true, "100 nuevos > 50"},
		{nil, 0.35, false, "Nulos en: ['bath', 'price'] (bath: 30, price: 4) & Fuera de rango en: ['bed'] (bed: 4)"},
	} {
		got := dataset.Gate{Nullable: c.nullable, MaxInvalidRatio: c.ratio, MinNewRecords: 50}.Decide(p)
		require.Equal(t, c.train, got.Train, "%+v", c)
		require.Equal(t, c.reason, got.Reason, "%+v", c)
	}
}

func TestWrongTypesAreNotExcusedAsNulls(t *testing.T) {
	p := dataset.NewProfiler(nil)
	for i := range 20 {
		l := good()
		if i == 3 {
			l.Bed = property.Null()
			p.Add(&l, "bed", "street")
			continue
		}
		p.Add(&l)
	}
	gate := dataset.Gate{Nullable: []string{"bed"}, MinNewRecords: 10}
	require.Equal(t, "Fuera de rango en: ['bed'] (bed: 1)", gate.Decide(p.Profile()).Reason)
	gate.MaxInvalidRatio = 0.05
	require.True(t, gate.Decide(p.Profile()).Train)
}

func TestProfileOutlivesTheProcess(t *testing.T) {
	p := profileOf(40, func(i int, l *property.Listing) {
		if i%4 == 0 {
			l.Bath = property.Null()
		}
		if i%10 == 0 {
			l.Price = -1
		}
	})
	kept, err := json.Marshal(p)
	require.NoError(t, err)
	var again dataset.Profile
	require.NoError(t, json.Unmarshal(kept, &again))
	require.Equal(t, 40, again.Rows())
	for _, gate := range []dataset.Gate{{}, {Nullable: []string{"bath"}}, {Nullable: []string{"bath"}, MaxInvalidRatio: 0.1}, {MinNewRecords: 100, MaxInvalidRatio: 1}} {
		require.Equal(t, gate.Decide(p), gate.Decide(&again))
	}
}
