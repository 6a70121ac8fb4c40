package tracking

import (
	"context"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/mlflowapi"
)

// direct is the store whose files clients can move without this server. Clients know these sentences, and then move them through it. A bad path
// in the address is refused first, as MLflow does.
func (a *api) direct(r *request, what string) (artifact.Direct, error) {
	if err := artifact.CheckPath(r.path["*"]); err != nil {
		return nil, err
	}
	if store := a.files.Direct(); store != nil {
		return store, nil
	}
	return nil, &notImplemented{what + " is not supported for the current artifact repository"}
}

// uploaded returns the path of the file that a call about an upload names: the folder stands in the address, the file in the body, as the
// client has it on its own disk. Codes: Invalid.
func uploaded(r *request) (string, error) {
	name := r.required("path")
	if err := r.err(); err != nil {
		return "", err
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if name == "" {
		return "", apperror.New(apperror.Invalid, "Invalid path %q: a file needs a name", r.text("path"))
	}
	return below(r.path["*"], name)
}

// createUpload is POST mpu/create/*: it answers with an address for each part.
func (a *api) createUpload(ctx context.Context, r *request) (any, error) {
	store, err := a.direct(r, "Multipart upload")
	if err != nil {
		return nil, err
	}
	file, err := uploaded(r)
	parts, sent := r.integer("num_parts")
	if !sent {
		parts = 1
	}
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return nil, err
	}
	id, urls, err := store.CreateUpload(ctx, file, int(min(parts, 1<<31)))
	if err != nil {
		return nil, err
	}
	credentials := make([]object, len(urls))
	for i, url := range urls {
		credentials[i] = object{"url": url, "part_number": i + 1, "headers": object{}}
	}
	return object{"upload_id": id, "credentials": credentials}, nil
}

// sentPart is one part that a client has uploaded.
type sentPart struct {
	Number mlflowapi.Int `json:"part_number"`
	ETag   string        `json:"etag"`
}

// completeUpload is POST mpu/complete/*: the parts become the file.
func (a *api) completeUpload(ctx context.Context, r *request) (any, error) {
	store, err := a.direct(r, "Multipart upload")
	if err != nil {
		return nil, err
	}
	file, err := uploaded(r)
	id, sent := r.required("upload_id"), list[sentPart](r, "parts")
	if len(sent) == 0 {
		r.required("parts")
	}
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return nil, err
	}
	parts := make([]artifact.Part, len(sent))
	for i, p := range sent {
		parts[i] = artifact.Part{Number: int(p.Number), ETag: p.ETag}
	}
	return empty(store.CompleteUpload(ctx, file, id, parts))
}

// abortUpload is POST mpu/abort/*: the parts are dropped.
func (a *api) abortUpload(ctx context.Context, r *request) (any, error) {
	store, err := a.direct(r, "Multipart upload")
	if err != nil {
		return nil, err
	}
	file, err := uploaded(r)
	id := r.required("upload_id")
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return nil, err
	}
	return empty(store.AbortUpload(ctx, file, id))
}

// signDownload is GET presigned/*: it answers with an address that reads the file.
func (a *api) signDownload(ctx context.Context, r *request) (any, error) {
	store, err := a.direct(r, "Multipart download")
	if err != nil {
		return nil, err
	}
	url, info, err := store.SignDownload(ctx, r.path["*"])
	if err != nil {
		return nil, err
	}
	return object{"url": url, "headers": object{}, "file_size": info.Size}, nil
}
