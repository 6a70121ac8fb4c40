package listinggen_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/listinggen"
)

func TestParsePlan(t *testing.T) {
	plan, err := listinggen.ParsePlan(" 15000, 0,800:gaps,12000:nulls=bath:nulls=bed,12000:missing=bed:missing=price:wrong=city,5:rows=array, rest")
	require.NoError(t, err)
	require.Equal(t, []listinggen.Batch{
		{Size: 15000}, {Size: 0}, {Size: 800, Gaps: true}, {Size: 12000, Nulls: []string{"bath", "bed"}},
		{Size: 12000, Missing: []string{"bed", "price"}, Wrong: []string{"city"}}, {Size: 5, Arrays: true}, {Rest: true},
	}, plan)

	_, err = listinggen.ParsePlan(listinggen.DefaultPlan)
	require.NoError(t, err)
}

func TestWrongPlanIsNamed(t *testing.T) {
	for text, says := range map[string]string{
		"":                             `batch 1, "", does not begin with a number of rows from 0 to 10000000`,
		"15000,,5":                     `batch 2, "", does not begin with a number of rows`,
		"1.5":                          `batch 1, "1.5", does not begin`,
		"-5":                           `batch 1, "-5", does not begin`,
		"10000001":                     `batch 1, "10000001", does not begin`,
		"5,nulls=bath":                 `batch 2, "nulls=bath", does not begin`,
		"5:nulls=bathroom":             `batch 1, "5:nulls=bathroom", names the column "bathroom", but the columns are brokered_by, status`,
		"5:missing":                    `names the column ""`,
		"5:big":                        `batch 1, "5:big", has the unknown option "big"`,
		"5:":                           `batch 1, "5:", has the unknown option ""`,
		"rest,5":                       `batch 2, "5", follows rest, which leaves nothing`,
		"5:missing=bed:rows=array":     `leaves a column out of rows that are lists, which cannot be`,
		"99999999999999999999999999:x": `does not begin with a number of rows`,
	} {
		_, err := listinggen.ParsePlan(text)
		require.ErrorContains(t, err, says, text)
		require.ErrorContains(t, err, "such as 15000,0,800,12000:nulls=bath", text)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	}
}
