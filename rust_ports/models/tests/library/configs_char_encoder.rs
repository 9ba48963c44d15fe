//! The character encoder's configuration.

use encoders_models::char_encoder::{CharEncoderConfig, REPEAT, TRANSPOSED};
use encoders_models::family::Config;

fn read(rest: &str) -> encoders_models::Result<CharEncoderConfig> {
    CharEncoderConfig::from_json(&format!(r#"{{"model_type": "char_encoder"{rest}}}"#))
}

#[test]
fn defaults_are_pythons() {
    let config = read("").unwrap();
    assert_eq!((config.vocab_size, config.pad_token_id), (128, Some(0)));
    assert_eq!((config.hidden_size, config.n_filters), (128, 256));
    assert_eq!((config.num_hashes, config.num_hash_buckets), (0, 16_384));
    assert_eq!((config.char_emb_size, config.kernel_size), (32, 5));
    assert_eq!((config.max_example_len, config.num_outputs), (128, 10_000));
    assert_eq!((config.dropout, config.layer_norm_eps), (0.1, 1e-5));
    assert_eq!((config.rope_theta, config.hidden_act.as_str()), (10_000.0, "gelu"));
    assert!(!config.tie_word_embeddings);
    let [tower] = &config.towers[..] else { panic!("one tower") };
    assert_eq!((tower.downsample_factor, tower.n_strided_convs, tower.stride_len), (16, 4, 2));
    assert_eq!((tower.n_conv_filters, tower.num_layers, tower.num_heads), (128, 2, 4));
    assert_eq!(
        (tower.hidden_dim, tower.window, tower.upsample.as_str()),
        (256, None, TRANSPOSED)
    );
    let config = Config::from(config);
    assert_eq!(config.limits().max_tokens, 128);
    assert!(!config.limits().pads_take_positions());
    assert_eq!(config.named_architecture(), "CharEncoderModel");
    assert_eq!(config.tokenizer(), "CharacterVocabulary");
}

#[test]
fn towers_stand_side_by_side() {
    let towers =
        r#", "towers": [{}, {"n_conv_filters": 32, "window": 3, "upsample": "repeat"}]"#;
    let config = read(towers).unwrap();
    assert_eq!((config.hidden_size, config.towers[1].upsample.as_str()), (160, REPEAT));
    let (near, short) = (config.local(&config.towers[1]), config.short(&config.towers[1]));
    assert_eq!((near.hidden_size, near.num_hidden_layers, near.head_dim()), (256, 1, 64));
    assert_eq!((short.hidden_size, short.num_hidden_layers, short.head_dim()), (32, 2, 8));
    for size in ["160", "null"] {
        assert!(read(&format!(r#"{towers}, "hidden_size": {size}"#)).is_ok());
    }
    assert!(
        read(r#", "activation": "relu", "hidden_act": "silu""#).unwrap().hidden_act == "silu"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = [
        (r#""hidden_size": 127"#, "hidden_size is 127; the towers' n_conv_filters sum to 128"),
        (r#""tie_word_embeddings": true"#, "tie_word_embeddings is true"),
        (r#""tie_word_embeddings": null"#, "tie_word_embeddings is null"),
        (r#""activation": "geglu""#, r#"activation is "geglu""#),
        (r#""activation": null"#, "activation is null"),
        (r#""dropout": 2"#, "dropout is 2"),
        (r#""num_hashes": 9"#, "num_hashes is 9; there are 8 hashes"),
        (r#""num_hashes": 5"#, "char_emb_size 32 is not a multiple of num_hashes 5"),
        (r#""kernel_size": 0"#, "kernel_size is 0"),
        (r#""num_outputs": -1"#, "num_outputs is -1"),
        (r#""pad_token_id": 128"#, "pad_token_id 128 lies outside the vocabulary of 128"),
        (r#""towers": {}"#, "towers is {}; it must be a list of towers"),
        (r#""towers": null"#, "towers is null"),
        (r#""towers": []"#, "towers is empty"),
        (r#""towers": [{}, 3]"#, "towers[1] is 3; it must be an object"),
        (r#""towers": [{"stride": 2}]"#, r#"towers[0] has "stride", which no tower has"#),
        (r#""towers": [{"num_layers": 0}]"#, "towers[0]: num_layers is 0"),
        (r#""towers": [{"num_layers": 1001}]"#, "towers[0]: a tower has no more than 1000"),
        (r#""towers": [{"hidden_dim": null}]"#, "towers[0]: hidden_dim is null"),
        (r#""towers": [{"window": 0}]"#, "towers[0]: window is 0"),
        (r#""towers": [{"upsample": "bicubic"}]"#, r#"towers[0]: upsample is "bicubic""#),
        (r#""towers": [{"upsample": null}]"#, "towers[0]: upsample is null"),
        (
            r#""towers": [{"downsample_factor": 8}]"#,
            "towers[0]: stride_len 2 ** n_strided_convs 4 must be downsample_factor 8",
        ),
        (
            r#""towers": [{"downsample_factor": 8192, "n_strided_convs": 13}]"#,
            "towers[0]: downsample_factor is 8192; 4096 is the most",
        ),
        (
            r#""towers": [{"stride_len": 2000000000, "n_strided_convs": 1000}]"#,
            "must be downsample_factor 16",
        ),
        (
            r#""towers": [{"n_conv_filters": 12}]"#,
            "towers[0]: n_conv_filters 12 and num_heads 4 leave a head 3 features",
        ),
        (
            r#""n_filters": 6, "towers": [{}, {"window": 2}]"#,
            "towers[1]: n_filters 6 and num_heads 4 leave a head 1.5 features",
        ),
    ];
    for (text, part) in wrong {
        let error = read(&format!(", {text}")).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    // Only a tower with a window attends among the base's features.
    assert!(read(r#", "n_filters": 6"#).is_ok());
}
