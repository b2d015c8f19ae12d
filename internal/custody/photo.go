package custody

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // a photo may be one

	"coffer/internal/fault"
)

// PhotoBytesMax is the largest photo that is taken, in bytes as it comes.
const PhotoBytesMax = 8 << 20

// The photo that is kept: at most sideMax pixels wide and high, and small enough
// for one record of the store.
const (
	pixelsMax = 24_000_000 // of the photo as it comes
	sideMax   = 1600
	keptMax   = 900 << 10 // bytes
)

// qualities are tried in order until the photo fits.
var qualities = []int{85, 70, 50, 30}

// ErrPhoto says that a photo cannot be used.
var ErrPhoto = fault.New(fault.Invalid, "This is no photo that Coffer can keep. Choose a JPEG or PNG of at most 8 MB and 24 megapixels.")

// Photo returns a photo as it is kept: decoded, made smaller, and encoded anew
// as JPEG, so that nothing but the picture is left of the file: no place where
// it was taken, no camera, nothing behind its end. A picture that says only by
// its metadata which side is up comes out as the camera has written it.
func Photo(b []byte) ([]byte, error) {
	if len(b) > PhotoBytesMax {
		return nil, ErrPhoto
	}
	c, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || format != "jpeg" && format != "png" || c.Width < 1 || c.Height < 1 || c.Width > pixelsMax/c.Height {
		return nil, ErrPhoto
	}
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, ErrPhoto
	}
	small := shrink(img)
	for _, quality := range qualities {
		var out bytes.Buffer
		if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality}); err != nil {
			return nil, ErrPhoto
		}
		if out.Len() <= keptMax {
			return out.Bytes(), nil
		}
	}
	return nil, ErrPhoto
}

// shrink returns the picture with each side at most sideMax: every pixel is the
// mean of a square of the original's.
func shrink(img image.Image) image.Image {
	b := img.Bounds()
	n := (max(b.Dx(), b.Dy()) + sideMax - 1) / sideMax
	small := image.NewRGBA(image.Rect(0, 0, max(1, b.Dx()/n), max(1, b.Dy()/n)))
	for y := range small.Rect.Dy() {
		for x := range small.Rect.Dx() {
			small.SetRGBA(x, y, mean(img, image.Rect(x*n, y*n, x*n+n, y*n+n).Add(b.Min).Intersect(b)))
		}
	}
	return small
}

// mean returns the mean colour of a part of a picture.
func mean(img image.Image, part image.Rectangle) color.RGBA {
	var r, g, b, n uint64
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			cr, cg, cb, _ := img.At(x, y).RGBA()
			r, g, b, n = r+uint64(cr), g+uint64(cg), b+uint64(cb), n+1
		}
	}
	n = max(n, 1)
	return color.RGBA{uint8(r / n >> 8), uint8(g / n >> 8), uint8(b / n >> 8), 0xff}
}
