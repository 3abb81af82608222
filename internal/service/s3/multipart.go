package s3

// upload is a multipart upload in progress.
type upload struct{}
