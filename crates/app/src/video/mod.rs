//! A picture on screen: drawn from I420 by a shader where there is one, as a plain texture otherwise.
//!
//! It holds the newest picture only, keeps its proportions whatever they are, and draws nothing while it holds none.

mod gl;
mod rgba;
mod shader;

use eframe::{egui_glow, glow};
use egui::epaint::RectShape;
use egui::{Color32, Context, CornerRadius, PaintCallback, Painter, Rect, TextureHandle, TextureOptions, pos2, vec2};
use gl::{GlPicture, Placement};
use shader::{ShaderError, Shaders};
use std::sync::{Arc, Mutex, PoisonError};
use visavis_media::{I420, Size};

/// One place in the window that shows a running picture.
pub struct VideoView {
    backend: Backend,
    size: Option<Size>,
}

enum Backend {
    Shader(Arc<Mutex<Shaded>>),
    Texture(Option<TextureHandle>),
}

struct Shaded {
    gl: GlPicture,
    /// The newest picture until it is drawn: uploads happen where the context is at hand.
    pending: Option<I420>,
}

impl VideoView {
    /// A view that draws with egui's own textures.
    pub fn plain() -> Self {
        Self { backend: Backend::Texture(None), size: None }
    }

    /// Two views, for one's own picture and the other's, that draw with this context's shaders; plain ones where there
    /// is no context or it takes none of our shaders.
    pub fn pair(context: Option<&glow::Context>) -> [Self; 2] {
        let Some(context) = context else { return [Self::plain(), Self::plain()] };
        Self::shaded_pair(context).unwrap_or_else(|e| {
            tracing::warn!("{e}; pictures are converted on the CPU");
            [Self::plain(), Self::plain()]
        })
    }

    fn shaded_pair(context: &glow::Context) -> Result<[Self; 2], ShaderError> {
        let shaders = Arc::new(Shaders::new(context)?);
        let view = || {
            let shaded = Shaded { gl: GlPicture::new(context, shaders.clone())?, pending: None };
            Ok(Self { backend: Backend::Shader(Arc::new(Mutex::new(shaded))), size: None })
        };
        Ok([view()?, view()?])
    }

    /// Takes a picture in the place of the last one; cheap where a shader draws.
    pub fn show(&mut self, ctx: &Context, picture: I420) {
        self.size = Some(picture.size());
        match &mut self.backend {
            Backend::Shader(shaded) => {
                shaded.lock().unwrap_or_else(PoisonError::into_inner).pending = Some(picture);
            }
            Backend::Texture(texture) => {
                let image = rgba::convert(&picture);
                match texture {
                    Some(texture) => texture.set(image, TextureOptions::LINEAR),
                    None => *texture = Some(ctx.load_texture("picture", image, TextureOptions::LINEAR)),
                }
            }
        }
    }

    /// Forgets the picture: a camera that is off must not stay on screen.
    pub fn clear(&mut self) {
        self.size = None;
        match &mut self.backend {
            Backend::Shader(shaded) => shaded.lock().unwrap_or_else(PoisonError::into_inner).pending = None,
            Backend::Texture(texture) => *texture = None,
        }
    }

    /// Whether a shader draws it.
    pub fn is_shaded(&self) -> bool {
        matches!(self.backend, Backend::Shader(_))
    }

    /// Size of the picture that is held.
    pub fn size(&self) -> Option<Size> {
        self.size
    }

    /// Where the picture goes inside `rect`: as large as fits, in its own proportions, centred. `None` without one.
    pub fn fit(&self, rect: Rect) -> Option<Rect> {
        self.size.map(|size| fit(rect, vec2(size.width() as f32, size.height() as f32)))
    }

    /// Draws the picture over exactly `rect` (see [`VideoView::fit`]) with rounded corners, in points.
    pub fn paint(&self, painter: &Painter, rect: Rect, radius: u8, mirrored: bool) {
        if self.size.is_none() {
            return;
        }
        match &self.backend {
            Backend::Shader(shaded) => {
                let shaded = shaded.clone();
                let draw = move |info: egui::PaintCallbackInfo, painter: &egui_glow::Painter| {
                    let mut shaded = shaded.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(picture) = shaded.pending.take() {
                        shaded.gl.upload(painter.gl(), &picture);
                    }
                    let viewport = info.viewport_in_pixels();
                    let placement = Placement {
                        pixels: [viewport.width_px as f32, viewport.height_px as f32],
                        radius: f32::from(radius) * info.pixels_per_point,
                        mirrored,
                    };
                    shaded.gl.draw(painter.gl(), placement);
                };
                painter.add(PaintCallback { rect, callback: Arc::new(egui_glow::CallbackFn::new(draw)) });
            }
            Backend::Texture(Some(texture)) => {
                let (left, right) = if mirrored { (1.0, 0.0) } else { (0.0, 1.0) };
                let uv = Rect::from_min_max(pos2(left, 0.0), pos2(right, 1.0));
                let shape = RectShape::filled(rect, CornerRadius::same(radius), Color32::WHITE);
                painter.add(shape.with_texture(texture.id(), uv));
            }
            Backend::Texture(None) => {}
        }
    }

    /// Gives textures and program back; call it while the context still lives.
    pub fn destroy(&mut self, context: Option<&glow::Context>) {
        self.clear();
        if let (Backend::Shader(shaded), Some(context)) = (&self.backend, context) {
            shaded.lock().unwrap_or_else(PoisonError::into_inner).gl.destroy(context);
        }
        self.backend = Backend::Texture(None);
    }
}

/// The largest rectangle of the given proportions that fits into `rect`, centred.
pub fn fit(rect: Rect, proportions: egui::Vec2) -> Rect {
    let scale = (rect.width() / proportions.x.max(1.0)).min(rect.height() / proportions.y.max(1.0)).max(0.0);
    Rect::from_center_size(rect.center(), proportions * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Rect {
        Rect::from_min_size(pos2(10.0, 20.0), vec2(1280.0, 720.0))
    }

    #[test]
    fn wide_tall_and_square_pictures_keep_their_proportions_and_fit() {
        for (w, h) in [(1280.0, 720.0), (720.0, 1280.0), (640.0, 480.0), (480.0, 480.0), (4096.0, 2.0)] {
            let placed = fit(window(), vec2(w, h));
            assert!((placed.width() / placed.height() - w / h).abs() < 0.01 * w / h, "{w}x{h}");
            assert!(window().expand(0.01).contains_rect(placed), "{w}x{h}");
            let full = (placed.width() - 1280.0).abs() < 0.01 || (placed.height() - 720.0).abs() < 0.01;
            assert!(full, "{w}x{h} is as large as fits");
            assert!((placed.center() - window().center()).length() < 0.01);
        }
    }

    #[test]
    fn a_cleared_view_has_no_picture() {
        let ctx = Context::default();
        let mut view = VideoView::plain();
        assert_eq!(view.fit(window()), None);
        view.show(&ctx, I420::filled(Size::new(4, 4).expect("even"), [90, 128, 128]));
        assert!(view.fit(window()).is_some());
        view.clear();
        assert_eq!((view.size(), view.fit(window())), (None, None));
    }
}
