"""The rows of the table of providers.

Ids and key variables are the original command's (its 3.x generation, observed 2026-11), further variables are those
that the vendors' documentation names. Addresses: the vendors' documentation, by way of models.dev, read 2026-11; where
the original still has an older one of the same vendor (Together, Nebius, Baseten, Qwen outside China), the documented
one stands here. Default models were in the vendor's list at models.dev in 2026-11; the original's is kept where it
still is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Evidence = Literal["recorded", "documented", "run", ""]


class Row(NamedTuple):
    module: str
    """In this package."""
    base_url: str
    """Where the wire format's paths are appended; empty for one that has to be given (`-b` at auth)."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the key, the first that is set wins; none means no key is needed."""
    default_model: str = ""
    """Empty where there is no sensible one: the model must be given."""
    aliases: tuple[str, ...] = ()
    is_compact: bool = False
    """A small model: it gets the compact system prompt, and does best with few words."""
    is_key_optional: bool = False
    """A server of one's own: it is asked without a key where there is none."""
    is_chosen_by_key: bool = True
    """Whose key is in the environment is asked where nothing is set up; not where that key is used for other things."""
    reads_text_calls: bool = False
    """Models behind it often write a tool call as text; a reply that is nothing but one is read as a call."""
    key_page: str = ""
    """Where people make a key, at the vendor's own server."""
    evidence: Evidence = ""
    """What the tests play: replies that its server gave ("recorded"), replies written after its documentation
    ("documented"), the model itself ("run"), or nothing that is its own."""


_CHAT: Final = "openai_chat"

ROWS: Final[Mapping[str, Row]] = {
    "cline": Row(
        _CHAT,
        "https://api.cline.bot/api/v1",
        ("CLINE_API_KEY",),
        "anthropic/claude-sonnet-4.6",
        key_page="https://app.cline.bot, under Settings, API Keys",
        evidence="documented",
    ),
    "anthropic": Row(
        "anthropic",
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_API_KEY",),
        "claude-sonnet-4-6",
        aliases=("claude",),
        key_page="https://console.anthropic.com/settings/keys",
        evidence="documented",
    ),
    "openai-native": Row(
        "openai_responses",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        "gpt-5.4",
        aliases=("openai-responses",),
        key_page="https://platform.openai.com/api-keys",
        evidence="documented",
    ),
    "gemini": Row(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        ("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "gemini-2.5-pro",
        aliases=("google", "google-gemini"),
        key_page="https://aistudio.google.com/apikey",
        evidence="documented",
    ),
    "openrouter": Row(
        _CHAT,
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        "anthropic/claude-sonnet-4.6",
        key_page="https://openrouter.ai/keys",
        evidence="documented",
    ),
    "openai-compatible": Row(
        _CHAT,
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        aliases=("openai",),
        key_page="https://platform.openai.com/api-keys",
    ),
    "deepseek": Row(
        _CHAT,
        "https://api.deepseek.com",
        ("DEEPSEEK_API_KEY",),
        "deepseek-v4-flash",
        key_page="https://platform.deepseek.com/api_keys",
        evidence="documented",
    ),
    "xai": Row(
        _CHAT,
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        "grok-4.7",
        aliases=("grok", "x-ai"),
        key_page="https://console.x.ai",
        evidence="documented",
    ),
    "groq": Row(
        _CHAT,
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        "openai/gpt-oss-120b",
        key_page="https://console.groq.com/keys",
        evidence="documented",
    ),
    "cerebras": Row(
        _CHAT,
        "https://api.cerebras.ai/v1",
        ("CEREBRAS_API_KEY",),
        "zai-glm-4.7",
        key_page="https://cloud.cerebras.ai",
    ),
    "mistral": Row(
        _CHAT,
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        "mistral-medium-latest",
        aliases=("mistralai",),
        key_page="https://console.mistral.ai/api-keys",
        evidence="documented",
    ),
    "together": Row(
        _CHAT,
        "https://api.together.ai/v1",
        ("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
        "zai-org/GLM-5.3",
        aliases=("togetherai", "together-ai", "together_ai"),
        key_page="https://api.together.ai/settings/api-keys",
    ),
    "fireworks": Row(
        _CHAT,
        "https://api.fireworks.ai/inference/v1",
        ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
        "accounts/fireworks/models/glm-5p3",
        aliases=("fireworks-ai", "fireworks_ai"),
        key_page="https://app.fireworks.ai/settings/users/api-keys",
    ),
    "moonshot": Row(
        _CHAT,
        "https://api.moonshot.ai/v1",
        ("MOONSHOT_API_KEY",),
        "kimi-k3",
        aliases=("moonshotai", "kimi"),
        key_page="https://platform.moonshot.ai/console/api-keys",
    ),
    "zai": Row(
        _CHAT,
        "https://api.z.ai/api/paas/v4",
        ("ZHIPU_API_KEY", "ZAI_API_KEY"),
        "glm-5.1",
        aliases=("z-ai", "z.ai", "zhipu", "zhipuai"),
        key_page="https://z.ai/manage-apikey/apikey-list",
    ),
    "minimax": Row(
        _CHAT,
        "https://api.minimax.io/v1",
        ("MINIMAX_API_KEY",),
        "MiniMax-M3",
        key_page="https://platform.minimax.io",
    ),
    "huggingface": Row(
        _CHAT,
        "https://router.huggingface.co/v1",
        ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        "zai-org/GLM-5.3",
        aliases=("hf", "hugging-face"),
        is_chosen_by_key=False,
        key_page="https://huggingface.co/settings/tokens",
    ),
    "nebius": Row(
        _CHAT,
        "https://api.tokenfactory.nebius.com/v1",
        ("NEBIUS_API_KEY",),
        "zai-org/GLM-5.2",
        key_page="https://tokenfactory.nebius.com",
    ),
    "requesty": Row(
        _CHAT,
        "https://router.requesty.ai/v1",
        ("REQUESTY_API_KEY",),
        "openai/gpt-5.4",
        key_page="https://app.requesty.ai/api-keys",
    ),
    "litellm": Row(
        _CHAT,
        "http://localhost:4000/v1",
        ("LITELLM_API_KEY",),
        aliases=("lite-llm",),
        is_key_optional=True,
        is_chosen_by_key=False,
    ),
    "vercel-ai-gateway": Row(
        _CHAT,
        "https://ai-gateway.vercel.sh/v1",
        ("AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY"),
        "anthropic/claude-sonnet-4.6",
        aliases=("vercel", "ai-gateway"),
        key_page="https://vercel.com/dashboard, under AI Gateway, API Keys",
    ),
    "qwen": Row(
        _CHAT,
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        ("QWEN_API_KEY", "DASHSCOPE_API_KEY"),
        "qwen3-coder-plus",
        aliases=("dashscope", "alibaba"),
        key_page="https://modelstudio.console.alibabacloud.com",
    ),
    "sambanova": Row(
        _CHAT,
        "https://api.sambanova.ai/v1",
        ("SAMBANOVA_API_KEY",),
        "MiniMax-M2.7",
        key_page="https://cloud.sambanova.ai/apis",
    ),
    "baseten": Row(
        _CHAT,
        "https://inference.baseten.co/v1",
        ("BASETEN_API_KEY",),
        "zai-org/GLM-5.3",
        key_page="https://app.baseten.co/settings/api_keys",
    ),
    "nvidia": Row(
        _CHAT,
        "https://integrate.api.nvidia.com/v1",
        ("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
        "z-ai/glm-5.1",
        aliases=("nim", "nvidia-nim"),
        is_chosen_by_key=False,
        key_page="https://build.nvidia.com/settings/api-keys",
    ),
    "ollama": Row(
        _CHAT,
        "http://localhost:11434/v1",
        ("OLLAMA_API_KEY",),
        is_key_optional=True,
        is_chosen_by_key=False,
        reads_text_calls=True,
        evidence="documented",
    ),
    "lmstudio": Row(
        _CHAT,
        "http://localhost:1234/v1",
        ("LMSTUDIO_API_KEY", "LM_API_TOKEN"),
        aliases=("lm-studio", "lm_studio"),
        is_key_optional=True,
        is_chosen_by_key=False,
        reads_text_calls=True,
    ),
    "llama-server": Row(
        _CHAT,
        "http://localhost:8080/v1",
        ("LLAMA_API_KEY",),
        aliases=("llama.cpp", "llama-cpp", "llamacpp", "llama_server"),
        is_key_optional=True,
        is_chosen_by_key=False,
        reads_text_calls=True,
        evidence="recorded",
    ),
    "local": Row("local", "", (), "qwen2.5-coder-1.5b", is_compact=True, evidence="run"),
}
"""By id, in the order in which a key in the environment is looked for."""
