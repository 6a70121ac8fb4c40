//go:build bench

// Command handlers serves two Echo handlers that make bench-serve compares with: the least that a server of predictions can do.
//
//	POST /constant   reads nothing and answers a constant
//	POST /bind       binds a listing with encoding/json, and answers the sum of its numbers in the shape of a prediction
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
)

// listing is what POST /predict takes.
type listing struct {
	BrokeredBy   float64 `json:"brokered_by"`
	Status       string  `json:"status"`
	Price        float64 `json:"price"`
	Bed          float64 `json:"bed"`
	Bath         float64 `json:"bath"`
	AcreLot      float64 `json:"acre_lot"`
	Street       float64 `json:"street"`
	City         string  `json:"city"`
	State        string  `json:"state"`
	ZipCode      string  `json:"zip_code"`
	HouseSize    float64 `json:"house_size"`
	PrevSoldDate string  `json:"prev_sold_date"`
	AsOf         string  `json:"as_of"`
}

// answer has the length of a real one.
type answer struct {
	Prediction   float64 `json:"prediction"`
	ModelName    string  `json:"model_name"`
	ModelVersion string  `json:"model_version"`
	ModelRunID   string  `json:"model_run_id"`
	RequestID    string  `json:"request_id"`
	AsOf         string  `json:"as_of"`
}

func answerOf(prediction float64) answer {
	return answer{
		Prediction: prediction, ModelName: "RealtorPriceModel", ModelVersion: "1", ModelRunID: "0123456789abcdef0123456789abcdef",
		RequestID: "0123456789abcdef", AsOf: "2026-01-01T00:00:00Z",
	}
}

func constant(c echo.Context) error { return c.JSON(http.StatusOK, answerOf(1)) }

func bind(c echo.Context) error {
	var l listing
	if err := c.Bind(&l); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answerOf(l.Bed+l.Bath+l.AcreLot+l.HouseSize))
}

func main() {
	e := echo.New()
	e.POST("/constant", constant)
	e.POST("/bind", bind)
	e.HideBanner, e.HidePort = true, true
	fmt.Fprintln(os.Stderr, e.Start(os.Args[1]))
	os.Exit(1)
}
