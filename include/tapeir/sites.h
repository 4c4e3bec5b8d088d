/// @file
/// Recording places: include this after tapeir.h and every op call stamps its
/// node with "file:line", which error messages and dumps then show.
///
/// A function-like macro of the same name is not expanded again inside its own
/// expansion, so function pointers, dlsym and C++ use the plain names.
/// Define TIR_NO_SITES before including to turn it off.
#ifndef TAPEIR_SITES_H
#define TAPEIR_SITES_H

#include "tapeir/tapeir.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Stamps the node just made (or the pending error) through the owner in the
/// handle; returns `value`. `site` must be a string literal.
TIR_API tir_value tir_site(tir_value value, const char *site);
/// The same for calls without a result.
TIR_API void tir_site_void(tir_tape *tape, const char *site);

#ifdef __cplusplus
}
#endif

#ifndef TIR_NO_SITES
/// @cond
#define TIR_SITE_TEXT_(x) #x
#define TIR_SITE_TEXT(x) TIR_SITE_TEXT_(x)
#define TIR_SITE __FILE__ ":" TIR_SITE_TEXT(__LINE__)

#define tir_value_from_data(...) \
  tir_site(tir_value_from_data(__VA_ARGS__), TIR_SITE)
#define tir_value_from_tensor(...) \
  tir_site(tir_value_from_tensor(__VA_ARGS__), TIR_SITE)
#define tir_scalar(...) tir_site(tir_scalar(__VA_ARGS__), TIR_SITE)
#define tir_detach(...) tir_site(tir_detach(__VA_ARGS__), TIR_SITE)
#define tir_input(...) tir_site(tir_input(__VA_ARGS__), TIR_SITE)
#define tir_input_symbolic(...) \
  tir_site(tir_input_symbolic(__VA_ARGS__), TIR_SITE)
#define tir_param(...) tir_site(tir_param(__VA_ARGS__), TIR_SITE)
#define tir_constant(...) tir_site(tir_constant(__VA_ARGS__), TIR_SITE)
#define tir_custom(...) tir_site(tir_custom(__VA_ARGS__), TIR_SITE)
#define tir_zeros(...) tir_site(tir_zeros(__VA_ARGS__), TIR_SITE)
#define tir_ones(...) tir_site(tir_ones(__VA_ARGS__), TIR_SITE)
#define tir_full(...) tir_site(tir_full(__VA_ARGS__), TIR_SITE)
#define tir_zeros_like(...) tir_site(tir_zeros_like(__VA_ARGS__), TIR_SITE)
#define tir_ones_like(...) tir_site(tir_ones_like(__VA_ARGS__), TIR_SITE)
#define tir_full_like(...) tir_site(tir_full_like(__VA_ARGS__), TIR_SITE)
#define tir_arange(...) tir_site(tir_arange(__VA_ARGS__), TIR_SITE)
#define tir_neg(...) tir_site(tir_neg(__VA_ARGS__), TIR_SITE)
#define tir_abs(...) tir_site(tir_abs(__VA_ARGS__), TIR_SITE)
#define tir_square(...) tir_site(tir_square(__VA_ARGS__), TIR_SITE)
#define tir_sqrt(...) tir_site(tir_sqrt(__VA_ARGS__), TIR_SITE)
#define tir_exp(...) tir_site(tir_exp(__VA_ARGS__), TIR_SITE)
#define tir_log(...) tir_site(tir_log(__VA_ARGS__), TIR_SITE)
#define tir_tanh(...) tir_site(tir_tanh(__VA_ARGS__), TIR_SITE)
#define tir_sigmoid(...) tir_site(tir_sigmoid(__VA_ARGS__), TIR_SITE)
#define tir_relu(...) tir_site(tir_relu(__VA_ARGS__), TIR_SITE)
#define tir_rsqrt(...) tir_site(tir_rsqrt(__VA_ARGS__), TIR_SITE)
#define tir_expm1(...) tir_site(tir_expm1(__VA_ARGS__), TIR_SITE)
#define tir_log1p(...) tir_site(tir_log1p(__VA_ARGS__), TIR_SITE)
#define tir_erf(...) tir_site(tir_erf(__VA_ARGS__), TIR_SITE)
#define tir_sin(...) tir_site(tir_sin(__VA_ARGS__), TIR_SITE)
#define tir_cos(...) tir_site(tir_cos(__VA_ARGS__), TIR_SITE)
#define tir_softplus(...) tir_site(tir_softplus(__VA_ARGS__), TIR_SITE)
#define tir_silu(...) tir_site(tir_silu(__VA_ARGS__), TIR_SITE)
#define tir_gelu(...) tir_site(tir_gelu(__VA_ARGS__), TIR_SITE)
#define tir_gelu_tanh(...) tir_site(tir_gelu_tanh(__VA_ARGS__), TIR_SITE)
#define tir_leaky_relu(...) tir_site(tir_leaky_relu(__VA_ARGS__), TIR_SITE)
#define tir_cast(...) tir_site(tir_cast(__VA_ARGS__), TIR_SITE)
#define tir_add(...) tir_site(tir_add(__VA_ARGS__), TIR_SITE)
#define tir_sub(...) tir_site(tir_sub(__VA_ARGS__), TIR_SITE)
#define tir_mul(...) tir_site(tir_mul(__VA_ARGS__), TIR_SITE)
#define tir_div(...) tir_site(tir_div(__VA_ARGS__), TIR_SITE)
#define tir_pow(...) tir_site(tir_pow(__VA_ARGS__), TIR_SITE)
#define tir_maximum(...) tir_site(tir_maximum(__VA_ARGS__), TIR_SITE)
#define tir_minimum(...) tir_site(tir_minimum(__VA_ARGS__), TIR_SITE)
#define tir_clip(...) tir_site(tir_clip(__VA_ARGS__), TIR_SITE)
#define tir_add_scalar(...) tir_site(tir_add_scalar(__VA_ARGS__), TIR_SITE)
#define tir_sub_scalar(...) tir_site(tir_sub_scalar(__VA_ARGS__), TIR_SITE)
#define tir_mul_scalar(...) tir_site(tir_mul_scalar(__VA_ARGS__), TIR_SITE)
#define tir_div_scalar(...) tir_site(tir_div_scalar(__VA_ARGS__), TIR_SITE)
#define tir_pow_scalar(...) tir_site(tir_pow_scalar(__VA_ARGS__), TIR_SITE)
#define tir_maximum_scalar(...) \
  tir_site(tir_maximum_scalar(__VA_ARGS__), TIR_SITE)
#define tir_minimum_scalar(...) \
  tir_site(tir_minimum_scalar(__VA_ARGS__), TIR_SITE)
#define tir_clip_scalar(...) tir_site(tir_clip_scalar(__VA_ARGS__), TIR_SITE)
#define tir_rsub_scalar(...) tir_site(tir_rsub_scalar(__VA_ARGS__), TIR_SITE)
#define tir_rdiv_scalar(...) tir_site(tir_rdiv_scalar(__VA_ARGS__), TIR_SITE)
#define tir_equal(...) tir_site(tir_equal(__VA_ARGS__), TIR_SITE)
#define tir_not_equal(...) tir_site(tir_not_equal(__VA_ARGS__), TIR_SITE)
#define tir_less(...) tir_site(tir_less(__VA_ARGS__), TIR_SITE)
#define tir_less_equal(...) tir_site(tir_less_equal(__VA_ARGS__), TIR_SITE)
#define tir_greater(...) tir_site(tir_greater(__VA_ARGS__), TIR_SITE)
#define tir_greater_equal(...) \
  tir_site(tir_greater_equal(__VA_ARGS__), TIR_SITE)
#define tir_where(...) tir_site(tir_where(__VA_ARGS__), TIR_SITE)
#define tir_sum(...) tir_site(tir_sum(__VA_ARGS__), TIR_SITE)
#define tir_mean(...) tir_site(tir_mean(__VA_ARGS__), TIR_SITE)
#define tir_max(...) tir_site(tir_max(__VA_ARGS__), TIR_SITE)
#define tir_min(...) tir_site(tir_min(__VA_ARGS__), TIR_SITE)
#define tir_prod(...) tir_site(tir_prod(__VA_ARGS__), TIR_SITE)
#define tir_logsumexp(...) tir_site(tir_logsumexp(__VA_ARGS__), TIR_SITE)
#define tir_norm(...) tir_site(tir_norm(__VA_ARGS__), TIR_SITE)
#define tir_argmax(...) tir_site(tir_argmax(__VA_ARGS__), TIR_SITE)
#define tir_argmin(...) tir_site(tir_argmin(__VA_ARGS__), TIR_SITE)
#define tir_matmul(...) tir_site(tir_matmul(__VA_ARGS__), TIR_SITE)
#define tir_matmul_t(...) tir_site(tir_matmul_t(__VA_ARGS__), TIR_SITE)
#define tir_dot(...) tir_site(tir_dot(__VA_ARGS__), TIR_SITE)
#define tir_reshape(...) tir_site(tir_reshape(__VA_ARGS__), TIR_SITE)
#define tir_reshape_like(...) tir_site(tir_reshape_like(__VA_ARGS__), TIR_SITE)
#define tir_expand_dims(...) tir_site(tir_expand_dims(__VA_ARGS__), TIR_SITE)
#define tir_transpose(...) tir_site(tir_transpose(__VA_ARGS__), TIR_SITE)
#define tir_broadcast_to(...) tir_site(tir_broadcast_to(__VA_ARGS__), TIR_SITE)
#define tir_broadcast_like(...) \
  tir_site(tir_broadcast_like(__VA_ARGS__), TIR_SITE)
#define tir_reduce_to(...) tir_site(tir_reduce_to(__VA_ARGS__), TIR_SITE)
#define tir_concat(...) tir_site(tir_concat(__VA_ARGS__), TIR_SITE)
#define tir_stack(...) tir_site(tir_stack(__VA_ARGS__), TIR_SITE)
#define tir_slice(...) tir_site(tir_slice(__VA_ARGS__), TIR_SITE)
#define tir_pad(...) tir_site(tir_pad(__VA_ARGS__), TIR_SITE)
#define tir_flip(...) tir_site(tir_flip(__VA_ARGS__), TIR_SITE)
#define tir_tril(...) tir_site(tir_tril(__VA_ARGS__), TIR_SITE)
#define tir_triu(...) tir_site(tir_triu(__VA_ARGS__), TIR_SITE)
#define tir_cumsum(...) tir_site(tir_cumsum(__VA_ARGS__), TIR_SITE)
#define tir_gather(...) tir_site(tir_gather(__VA_ARGS__), TIR_SITE)
#define tir_embedding(...) tir_site(tir_embedding(__VA_ARGS__), TIR_SITE)
#define tir_scatter_add(...) tir_site(tir_scatter_add(__VA_ARGS__), TIR_SITE)
#define tir_slice_at(...) tir_site(tir_slice_at(__VA_ARGS__), TIR_SITE)
#define tir_update_slice(...) tir_site(tir_update_slice(__VA_ARGS__), TIR_SITE)
#define tir_assign_slice(...) tir_site(tir_assign_slice(__VA_ARGS__), TIR_SITE)
#define tir_one_hot(...) tir_site(tir_one_hot(__VA_ARGS__), TIR_SITE)
#define tir_softmax(...) tir_site(tir_softmax(__VA_ARGS__), TIR_SITE)
#define tir_log_softmax(...) tir_site(tir_log_softmax(__VA_ARGS__), TIR_SITE)
#define tir_cross_entropy(...) \
  tir_site(tir_cross_entropy(__VA_ARGS__), TIR_SITE)
#define tir_mse(...) tir_site(tir_mse(__VA_ARGS__), TIR_SITE)
#define tir_bce_with_logits(...) \
  tir_site(tir_bce_with_logits(__VA_ARGS__), TIR_SITE)
#define tir_normalize(...) tir_site(tir_normalize(__VA_ARGS__), TIR_SITE)
#define tir_rms_normalize(...) \
  tir_site(tir_rms_normalize(__VA_ARGS__), TIR_SITE)
#define tir_layer_norm(...) tir_site(tir_layer_norm(__VA_ARGS__), TIR_SITE)
#define tir_rms_norm(...) tir_site(tir_rms_norm(__VA_ARGS__), TIR_SITE)
#define tir_group_norm(...) tir_site(tir_group_norm(__VA_ARGS__), TIR_SITE)
#define tir_batch_norm(...) tir_site(tir_batch_norm(__VA_ARGS__), TIR_SITE)
#define tir_attention_prefix(...) \
  tir_site(tir_attention_prefix(__VA_ARGS__), TIR_SITE)
#define tir_attention(...) tir_site(tir_attention(__VA_ARGS__), TIR_SITE)
#define tir_uniform(...) tir_site(tir_uniform(__VA_ARGS__), TIR_SITE)
#define tir_normal(...) tir_site(tir_normal(__VA_ARGS__), TIR_SITE)
#define tir_dropout(...) tir_site(tir_dropout(__VA_ARGS__), TIR_SITE)
#define tir_while(...) tir_site(tir_while(__VA_ARGS__), TIR_SITE)
#define tir_assign(...) tir_site(tir_assign(__VA_ARGS__), TIR_SITE)
#define tir_stop_gradient(...) \
  tir_site(tir_stop_gradient(__VA_ARGS__), TIR_SITE)

// Calls without a result: the tape is evaluated twice.
#define TIR_SITE_VOID_(call, tape, ...) \
  (call(tape, __VA_ARGS__), tir_site_void(tape, TIR_SITE))
#define tir_scan(tape, ...) TIR_SITE_VOID_(tir_scan, tape, __VA_ARGS__)
#define tir_cond(tape, ...) TIR_SITE_VOID_(tir_cond, tape, __VA_ARGS__)
#define tir_split(tape, ...) TIR_SITE_VOID_(tir_split, tape, __VA_ARGS__)
#define tir_attach_grad(tape, ...) \
  TIR_SITE_VOID_(tir_attach_grad, tape, __VA_ARGS__)
#define tir_retain_grad(tape, ...) \
  TIR_SITE_VOID_(tir_retain_grad, tape, __VA_ARGS__)
#define tir_mark_variables(tape, ...) \
  TIR_SITE_VOID_(tir_mark_variables, tape, __VA_ARGS__)
#define tir_set_grad(tape, ...) TIR_SITE_VOID_(tir_set_grad, tape, __VA_ARGS__)
#define tir_backward(tape, ...) TIR_SITE_VOID_(tir_backward, tape, __VA_ARGS__)
#define tir_backward_ex(tape, ...) \
  TIR_SITE_VOID_(tir_backward_ex, tape, __VA_ARGS__)
#define tir_grad(tape, ...) TIR_SITE_VOID_(tir_grad, tape, __VA_ARGS__)
#define tir_sgd(tape, ...) TIR_SITE_VOID_(tir_sgd, tape, __VA_ARGS__)
#define tir_momentum(tape, ...) TIR_SITE_VOID_(tir_momentum, tape, __VA_ARGS__)
#define tir_nesterov(tape, ...) TIR_SITE_VOID_(tir_nesterov, tape, __VA_ARGS__)
#define tir_adam(tape, ...) TIR_SITE_VOID_(tir_adam, tape, __VA_ARGS__)
#define tir_adamw(tape, ...) TIR_SITE_VOID_(tir_adamw, tape, __VA_ARGS__)
#define tir_lamb(tape, ...) TIR_SITE_VOID_(tir_lamb, tape, __VA_ARGS__)
#define tir_rmsprop(tape, ...) TIR_SITE_VOID_(tir_rmsprop, tape, __VA_ARGS__)
#define tir_adagrad(tape, ...) TIR_SITE_VOID_(tir_adagrad, tape, __VA_ARGS__)
#define tir_adadelta(tape, ...) TIR_SITE_VOID_(tir_adadelta, tape, __VA_ARGS__)
#define tir_lion(tape, ...) TIR_SITE_VOID_(tir_lion, tape, __VA_ARGS__)
#define tir_decay_grads(tape, ...) \
  TIR_SITE_VOID_(tir_decay_grads, tape, __VA_ARGS__)
#define tir_clip_grads_by_value(tape, ...) \
  TIR_SITE_VOID_(tir_clip_grads_by_value, tape, __VA_ARGS__)
#define tir_clip_grads_by_norm(tape, ...) \
  TIR_SITE_VOID_(tir_clip_grads_by_norm, tape, __VA_ARGS__)
#define tir_average_weights(tape, ...) \
  TIR_SITE_VOID_(tir_average_weights, tape, __VA_ARGS__)
#define tir_update_loss_scale(tape, ...) \
  TIR_SITE_VOID_(tir_update_loss_scale, tape, __VA_ARGS__)
#define tir_output(tape, ...) TIR_SITE_VOID_(tir_output, tape, __VA_ARGS__)
/// @endcond
#endif

#endif
