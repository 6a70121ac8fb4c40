package web

import (
	"encoding/json"
	"fmt"
	"math"

	"golang.org/x/text/language"
	"golang.org/x/text/message/catalog"
)

// Languages lists what pages are written in, the one of last resort first. The regions that write numbers in another way than their
// language does stand beside it.
func Languages() []language.Tag {
	return []language.Tag{language.English, language.Spanish, language.MustParse("es-MX"), language.MustParse("es-US"), language.MustParse("es-CO"), language.MustParse("es-ES")}
}

// readTranslations reads translations/es.json, whose keys are the English texts.
func readTranslations() (catalog.Catalog, error) {
	content, err := files.ReadFile("translations/es.json")
	if err != nil {
		return nil, fmt.Errorf("translations: %w", err)
	}
	var spanish map[string]string
	if err := json.Unmarshal(content, &spanish); err != nil {
		return nil, fmt.Errorf("translations: %w", err)
	}
	texts := catalog.NewBuilder(catalog.Fallback(language.English))
	for key, text := range spanish {
		if err := texts.SetString(language.Spanish, key, text); err != nil {
			return nil, fmt.Errorf("translation of %q: %w", key, err)
		}
		if err := texts.SetString(language.English, key, key); err != nil {
			return nil, fmt.Errorf("text %q: %w", key, err)
		}
	}
	return texts, nil
}

// money writes dollars as $245,706.06, with the separators of the reader's locale.
func (v view) money(dollars float64) string {
	sign := ""
	if dollars < 0 {
		sign = "−"
	}
	return sign + "$" + v.printer.Sprintf("%.2f", math.Abs(dollars))
}

// dollars writes whole dollars, for pictures: $245,706.
func (v view) dollars(dollars float64) string {
	sign := ""
	if math.Round(dollars) < 0 {
		sign = "−"
	}
	return sign + "$" + v.printer.Sprintf("%.0f", math.Abs(dollars))
}

// signed writes whole dollars that are added to others: +$245,706.
func (v view) signed(dollars float64) string {
	if math.Round(dollars) > 0 {
		return "+" + v.dollars(dollars)
	}
	return v.dollars(dollars)
}

// number writes a number with two digits after the point and separators.
func (v view) number(n float64) string { return v.printer.Sprintf("%.2f", n) }

// fixed writes a number with as many digits after the point.
func (v view) fixed(digits int, n float64) string { return v.printer.Sprintf("%.*f", digits, n) }
