package web

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"tasador/pkg/apperror"
)

func in(tag string) view { return view{printer: message.NewPrinter(language.MustParse(tag))} }

func TestMeasure(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 1: "1", 512862.5: "512,862.50", 1500: "1,500", 70123.4567: "70,123.46", -0.0123456789: "-0.0123457", 12.3456789: "12.3457", 2.5e-7: "2.5e-07", 1e15: "1e+15",
		245706.06: "245,706.06", math.Inf(-1): "-∞", math.Inf(1): "+∞",
	} {
		require.Equal(t, want, in("en").measure(n))
	}
	require.Equal(t, "NaN", in("en").measure(math.NaN()))
	require.Equal(t, "70.123,46", in("es").measure(70123.4567))
	require.Equal(t, "70,123.46", in("es-MX").measure(70123.4567))
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1,023 B", 1024: "1 kB", 1536: "1.5 kB", 5 << 20: "5 MB", 3 << 30: "3 GB"} {
		require.Equal(t, want, in("en").size(n))
	}
}

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 120 * time.Millisecond: "120 ms", 3240 * time.Millisecond: "3.2 s", 4 * time.Minute: "4 min",
		250 * time.Second: "4 min 10 s", 2*time.Hour + 5*time.Minute + 9*time.Second: "2 h 5 min", 48 * time.Hour: "48 h",
	} {
		require.Equal(t, want, in("en").took(d))
	}
	require.Equal(t, "3,2 s", in("es").took(3240*time.Millisecond))
}

func TestInstantsInBothLanguages(t *testing.T) {
	at := time.Date(2026, 9, 2, 17, 4, 5, 0, time.FixedZone("", 2*60*60))
	require.Equal(t, "2026-09-02T15:04:05Z", machine(at))
	require.Equal(t, "Sep 2, 2026, 15:04:05 UTC", view{base: "en"}.utc(at))
	require.Equal(t, "2 sept 2026, 15:04:05 UTC", view{base: "es"}.utc(at), "as CLDR abbreviates it")
}

func TestSentencesInSentencesAreTranslated(t *testing.T) {
	texts, err := readTranslations()
	require.NoError(t, err)
	v := view{printer: message.NewPrinter(language.Spanish, message.Catalog(texts))}
	inner := apperror.Sentence{Format: "version %s cannot be served: %s", Args: []any{"3", apperror.Sentence{Format: "it has no features"}}}
	require.Equal(t, "no se puede servir ninguna versión de M: la versión 3 no se puede servir: no tiene variables", v.say("no version of %s can be served: %s", []any{"M", inner}))
	require.Equal(t, "%d 100%", v.say("%s", []any{"%d 100%"}), "what others said is taken as it is")
}
