package roles_test

import (
	"encoding/json"
	"html"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
)

// TestFirstPagesAreTranslated compares what each role without pages of its own says in English and in Spanish.
func TestFirstPagesAreTranslated(t *testing.T) {
	s := startStack(t, nil, config.RoleSource, config.RoleTracking, config.RolePipeline)
	content, err := os.ReadFile("../web/translations/es.json")
	require.NoError(t, err)
	var spanish map[string]string
	require.NoError(t, json.Unmarshal(content, &spanish))
	texts := regexp.MustCompile(`(?:<p class="lead">|</code></td><td>)([^<]+)<`)
	for _, role := range []string{config.RoleSource, config.RoleTracking, config.RolePipeline} {
		address := "http://" + *s.cfg.Listen(role)
		status, english := get(t, address+"/?lang=en")
		require.Equal(t, http.StatusOK, status)
		if role != config.RoleSource && !strings.Contains(english, "What is served here") {
			continue // this role has pages of its own
		}
		_, translated := get(t, address+"/?lang=es")
		found := texts.FindAllStringSubmatch(english, -1)
		require.GreaterOrEqual(t, len(found), 5, "%s: the introduction and what every role serves", role)
		for _, m := range found {
			text := spanish[html.UnescapeString(m[1])]
			require.NotEmpty(t, text, "%s shows %q, which es.json lacks", role, m[1])
			require.Contains(t, html.UnescapeString(translated), text)
		}
	}
}
